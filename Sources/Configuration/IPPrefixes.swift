import Filters

extension ProblemList {
    mutating func prefix(_ element: Element) -> IPPrefix? {
        guard let text = text(element, example: "an address such as 10.0.0.5") else { return nil }
        guard let prefix = IPPrefix(text) else {
            add(element, "'\(text)' is no IPv4 or IPv6 address and no network: write 10.0.0.5, 2001:db8::5 or 10.0.0.0/24")
            return nil
        }
        return prefix
    }
}

extension ValueKind<IPPrefix> {
    /// A single address, without a prefix length.
    /// - Parameters:
    ///   - what: what it is called in sentences, such as "IPv4 address".
    ///   - isHost: whether a prefix is such an address.
    static func host(_ what: String, example: String, _ form: TextForm, _ isHost: @escaping @Sendable (IPPrefix) -> Bool) -> Self {
        @Sendable func sentence(_ text: String) -> String { "'\(text)' is no \(what) of a host: write one such as \(example)" }
        return ValueKind(
            takes: .text(form),
            read: { element, problems in
                guard let text = problems.text(element, example: "192.0.2.1") else { return nil }
                guard let address = IPPrefix(text), isHost(address) else {
                    problems.add(element, sentence(text))
                    return nil
                }
                return address
            },
            write: { .text($0.description) }, fault: { isHost($0) ? nil : sentence($0.description) })
    }
}
