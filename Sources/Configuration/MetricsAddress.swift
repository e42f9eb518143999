/// Where the daemon serves its metrics: for programs of this host only, as whoever can connect may read them.
public enum MetricsAddress: Equatable, Sendable, CustomStringConvertible {
    /// A TCP port of a loopback address, 127.0.0.0/8 or ::1.
    case loopback(host: String, port: UInt16)
    /// The absolute path of a Unix socket, to which those may connect who may look at the daemon.
    case socket(String)

    /// - Parameter text: such as `127.0.0.1:9464`, `[::1]:9464` or `/run/sluice/metrics.sock`; nil if it is nothing like that.
    public init?(_ text: String) {
        if text.hasPrefix("/") {
            guard (2...107).contains(text.utf8.count), !text.utf8.contains(0) else { return nil }
            self = .socket(text)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port != 0 else { return nil }
        let host = text[..<colon]
        guard host == "[::1]" || Self.isLoopback(host) else { return nil }
        self = .loopback(host: host == "[::1]" ? "::1" : String(host), port: port)
    }

    /// RFC 1122, 3.2.1.3: 127.0.0.0/8.
    private static func isLoopback(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { part in UInt8(part).map { String($0) == part } ?? false }
    }

    public var description: String {
        switch self {
        case .loopback(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .socket(let path): path
        }
    }
}

extension ValueKind<MetricsAddress> {
    private static func sentence(_ text: String) -> String {
        "'\(text)' is no place for metrics: write a loopback address and a port, such as 127.0.0.1:9464 or [::1]:9464, or a path such as /run/sluice/metrics.sock"
    }

    static var metricsAddress: Self {
        let pattern = "^(/.+|127(\\.[0-9]{1,3}){3}:[0-9]{1,5}|\\[::1\\]:[0-9]{1,5})$"
        return ValueKind(
            takes: .text(TextForm(word: "ADDRESS:PORT|PATH", pattern: pattern, example: "127.0.0.1:9464", mayBeNumber: false)),
            read: { element, problems in
                guard let text = problems.text(element, example: "127.0.0.1:9464") else { return nil }
                if let address = MetricsAddress(text) { return address }
                problems.add(element, sentence(text))
                return nil
            },
            write: { .text($0.description) },
            fault: { MetricsAddress($0.description) == $0 ? nil : sentence($0.description) })
    }
}
