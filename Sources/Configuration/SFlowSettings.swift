import Filters

/// What is told to a collector of sFlow (https://sflow.org): samples of frames, and the ports' counters.
public struct SFlowSettings: Equatable, Sendable {
    public var collector: CollectorAddress
    /// The address by which the collector knows this switch; nil: the one that datagrams are sent from.
    public var agent: IPPrefix?
    /// One frame of so many that come in by a port is sampled, on average.
    public var sampling = 1_000
    /// Seconds from one sample of a port's counters to the next.
    public var polling = 20
    /// The most bytes of a frame that a sample has.
    public var header = 128

    public init(collector: CollectorAddress) { self.collector = collector }
}

/// Where a collector of sFlow listens: an IPv4 or IPv6 address and a UDP port.
public struct CollectorAddress: Equatable, Sendable, CustomStringConvertible {
    /// The port that IANA has given to sFlow.
    public static let usualPort: UInt16 = 6_343

    public let host: IPPrefix
    public let port: UInt16

    /// - Parameter text: such as `192.0.2.7`, `192.0.2.7:6343`, `2001:db8::7` or `[2001:db8::7]:6343`; nil if it is nothing like that, or no host's address.
    public init?(_ text: String) {
        var host = text[...], port: Substring?
        if text.hasPrefix("[") {
            guard let close = text.lastIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            guard host.contains(":"), rest.isEmpty || rest.hasPrefix(":") else { return nil }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
            (host, port) = (text[..<colon], text[text.index(after: colon)...])
        }
        guard !host.contains("/"), let address = IPPrefix(String(host)), address.bytes.contains(where: { $0 != 0 }), address.bytes != [255, 255, 255, 255] else { return nil }
        guard let number = port.map({ UInt16($0) }) ?? Self.usualPort, number != 0 else { return nil }
        (self.host, self.port) = (address, number)
    }

    public var description: String { host.isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }
}

extension ValueKind<CollectorAddress> {
    fileprivate static var collector: Self {
        func sentence(_ text: String) -> String {
            "'\(text)' is no collector's address: write an IP address, and a port if it is not 6343, such as 192.0.2.7 or [2001:db8::7]:6343; names are not looked up"
        }
        let pattern = "^([0-9]{1,3}(\\.[0-9]{1,3}){3}(:[0-9]{1,5})?|[0-9A-Fa-f:.]+|\\[[0-9A-Fa-f:.]+\\](:[0-9]{1,5})?)$"
        return ValueKind(
            takes: .text(TextForm(word: "ADDRESS[:PORT]", pattern: pattern, example: "192.0.2.7:6343", mayBeNumber: false)),
            read: { element, problems in
                guard let text = problems.text(element, example: "192.0.2.7:6343") else { return nil }
                if let address = CollectorAddress(text) { return address }
                problems.add(element, sentence(text))
                return nil
            },
            write: { .text($0.description) },
            fault: { CollectorAddress($0.description) == $0 ? nil : sentence($0.description) })
    }
}

/// The settings while they are read.
struct SFlowDraft {
    var collector: CollectorAddress?
    var agent: IPPrefix?
    var sampling: Int
    var polling: Int
    var header: Int
}

extension MapKind<SFlowSettings, SFlowDraft> {
    static var sflow: Self {
        let standard = SFlowSettings(collector: CollectorAddress("127.0.0.1")!)
        func draft(_ settings: SFlowSettings) -> SFlowDraft {
            SFlowDraft(collector: settings.collector, agent: settings.agent, sampling: settings.sampling, polling: settings.polling, header: settings.header)
        }
        var empty = draft(standard)
        empty.collector = nil
        return MapKind(
            noun: "sflow", empty: empty,
            fields: [
                .optional("collector", \.collector, .collector, help: "where datagrams are sent; the port is 6343 by default").lasting.required,
                .optional("agent", \.agent, .address, help: "by which address the collector knows this switch; by default that which datagrams are sent from"),
                // The product of twice the rate and a random number must have room in a word.
                .integer("sampling", \.sampling, 1...16_777_216, standard: standard.sampling, help: "one frame of so many that come in is sampled, on average"),
                .value("polling", \.polling, .seconds("polling", 1...3_600, example: 20), standard: standard.polling, help: "how often each port's counters are sent"),
                .integer("header", \.header, 64...512, standard: standard.header, help: "bytes of a frame that a sample has at most"),
            ],
            value: { draft in
                guard let collector = draft.collector else { return nil }
                var settings = SFlowSettings(collector: collector)
                (settings.agent, settings.sampling, settings.polling, settings.header) = (draft.agent, draft.sampling, draft.polling, draft.header)
                return settings
            },
            draft: draft, missing: "sflow needs a collector: write sflow: {collector: 192.0.2.7}")
    }
}
