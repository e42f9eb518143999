import DPDKShim

/// Standard error as every thread of the daemon may use it.
public enum StandardError {
    /// Has what libraries write there by themselves never wait either. To be called before there is a second thread.
    public static func neverWaits() { sluice_standard_error_never_waits() }

    /// Writes text if that takes no waiting; otherwise it is left out, and the next text that is written says so.
    public static func write(_ text: String) { write(text, patience: 0) }

    /// Writes text at the end of the program, for as long as somebody reads it; it waits a second for who does not.
    public static func writeLast(_ text: String) { write(text, patience: 1_000) }

    private static func write(_ text: String, patience milliseconds: CInt) {
        var text = text
        text.withUTF8 { bytes in bytes.withMemoryRebound(to: CChar.self) { _ = sluice_log_write($0.baseAddress, $0.count, milliseconds) } }
    }
}
