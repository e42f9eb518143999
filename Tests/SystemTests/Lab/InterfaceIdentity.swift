import Foundation

/// What identifies an interface to the kernel and to the host.
struct InterfaceIdentity: Equatable {
    var index: String, mac: String, mtu: String, addresses: String

    init(_ interface: String) throws {
        func attribute(_ name: String) throws -> String {
            try String(contentsOfFile: "/sys/class/net/\(interface)/\(name)", encoding: .utf8).trimmingCharacters(in: .newlines)
        }
        (index, mac, mtu) = (try attribute("ifindex"), try attribute("address"), try attribute("mtu"))
        addresses = try run("ip", "-o", "-4", "addr", "show", "dev", interface).split(separator: " ").filter { $0.contains("/") }.joined(separator: " ")
    }
}
