import DPDKShim

/// Writing to standard error, as any thread of the daemon may do it.
public enum StandardError {
    /// Makes writes by libraries never wait either. It must be called before there is a second thread.
    public static func neverWaits() { sluice_standard_error_never_waits() }

    /// Writes a text if that is possible without waiting. Otherwise the text is dropped, and the next one that is written says so.
    public static func write(_ text: String) { write(text, patience: 0) }

    /// Writes a text at the end of the program. It waits up to a second for a reader that is slow.
    public static func writeLast(_ text: String) { write(text, patience: 1_000) }

    private static func write(_ text: String, patience milliseconds: CInt) {
        var text = text
        text.withUTF8 { bytes in bytes.withMemoryRebound(to: CChar.self) { _ = sluice_log_write($0.baseAddress, $0.count, milliseconds) } }
    }
}
