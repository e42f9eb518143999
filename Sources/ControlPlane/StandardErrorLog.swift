import Glibc
import DataPlane
import Logging

/// The daemon's log, on standard error. If nobody reads standard error any more, what cannot be written at once is dropped, so that no thread waits for it.
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
        StandardError.write("\(Self.time()) \(event.level) \(label):\(fields) \(event.message)\n")
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
