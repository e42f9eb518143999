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
