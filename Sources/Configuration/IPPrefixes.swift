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

extension Field<PortDraft> {
    static var addresses: Field {
        Field(
            key: "addresses", shape: .list, unset: { $0.addresses = [] },
            read: { port, element, problems in
                guard let items = problems.items(of: element, example: "[10.0.0.5, 2001:db8::5]") else { return }
                port.addresses = items.compactMap { problems.prefix($0) }
            },
            write: { $0.addresses.isEmpty ? nil : .list($0.addresses.map { .text($0.description) }) })
    }
}
