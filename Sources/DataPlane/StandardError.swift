import DPDKShim

/// Standard error as every thread of the daemon may use it.
public enum StandardError {
    /// Writes text if that takes no waiting; otherwise it is left out, and the next text that is written says so.
    public static func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in bytes.withMemoryRebound(to: CChar.self) { _ = sluice_log_write($0.baseAddress, $0.count) } }
    }
}
