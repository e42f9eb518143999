import Glibc
import DataPlane
import Logging

/// The daemon's log, on standard error. If nobody reads standard error any more, what cannot be written at once is dropped, so that no thread waits for it.
///
/// Where standard error leads to systemd's journal, each line begins with its priority (sd-daemon(3)), and not with the time, which the journal has itself.
struct StandardErrorLog: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let fields = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let text = Self.printable("\(event.level) \(label):\(fields) \(event.message)")
        guard Self.isJournal else { return StandardError.write("\(Self.time()) \(text)\n") }
        let priority = "<\(Self.priority(event.level))>"
        StandardError.write(text.split(separator: "\n").map { "\(priority)\($0)\n" }.joined())
    }

    /// The priorities of syslog(3).
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// Whether standard error is the stream to the journal that systemd names in JOURNAL_STREAM (systemd.exec(5)).
    private static let isJournal: Bool = {
        var info = stat()
        guard let stream = getenv("JOURNAL_STREAM"), fstat(STDERR_FILENO, &info) == 0 else { return false }
        return String(cString: stream) == "\(info.st_dev):\(info.st_ino)"
    }()

    /// The text without control characters other than line feeds: names and paths may contain some that a terminal takes for commands.
    private static func printable(_ text: String) -> String {
        func isControl(_ character: Unicode.Scalar) -> Bool { character.value < 0x20 && character != "\n" || 0x7f...0x9f ~= character.value }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { $0 += isControl($1) ? "\\u{\(String($1.value, radix: 16))}" : String($1) }
    }

    /// The time in ISO 8601, in the machine's time zone.
    private static func time() -> String {
        var now = time_t(), parts = tm()
        Glibc.time(&now)
        localtime_r(&now, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            strftime(text.baseAddress!, text.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
            return String(cString: text.baseAddress!)
        }
    }
}
