import Configuration
import ControlAPI
import DataPlane

extension Engine {
    /// Answers `frame.explain`.
    func explain(_ params: ExplainParams) throws -> Explanation {
        let bytes = try params.bytes()
        let port = try select(dataPlane.model.ports, params.port, \.name, "port")[0]
        let account = try dataPlane.account(of: bytes, from: port.name)
        var told = Explanation()
        (told.port, told.bridge, told.length, told.vlan, told.guest) = (port.name, account.bridge, bytes.count, account.vlan, account.guest)
        (told.protocol, told.drop, told.flooded, told.followsGroup) = (account.protocolName, account.drop, account.isFlooded, account.followsGroup)
        if account.drop == "spoofed_source", bytes.count >= 12 { told.owner = owner(of: bytes[6..<12], on: account.bridge, besides: port) }
        told.fip = account.fip.map { Explanation.Snooping($0.verdict, $0.address, $0.grant, from: port.name) }
        told.filtering = account.filtering.map { Explanation.Filtering(filter: $0.filter, rule: $0.rule) }
        var statuses: [String: [ClassStatus]] = [:]
        told.exits = try account.exits.map { exit in
            var item = Explanation.Exit()
            (item.port, item.guest, item.tree, item.class, item.id) = (exit.port, exit.guest, exit.tree, exit.path, exit.classID)
            (item.action, item.vlan, item.pcp, item.drop) = (exit.action, exit.vlan, exit.pcp, exit.drop)
            item.filtering = exit.filtering.map { Explanation.Filtering(filter: $0.filter, rule: $0.rule) }
            if exit.drop == nil, let id = exit.classID {
                let classes = try statuses[exit.tree] ?? self.classes(ClassParams(tree: exit.tree)).statuses()
                statuses[exit.tree] = classes
                item.holds = Self.holds(id, classes)
            }
            return item
        }
        return told
    }

    /// Whose an address is that `port` may not send from, as a sentence.
    private func owner(of source: ArraySlice<UInt8>, on bridge: String, besides port: PortSettings) -> String {
        let mac = source.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":"), model = dataPlane.model
        let ports = Set(model.ports.filter { $0.bridge == bridge }.map(\.name))
        if let guest = model.guests.first(where: { $0.port != port.name && ports.contains($0.port) && $0.macs.contains { $0.description == mac } }) {
            return "\(mac) is guest \(guest.name)'s, on port \(guest.port)"
        }
        if let entry = model.bridges.first(where: { $0.name == bridge })?.staticEntries.first(where: { $0.mac.description == mac && $0.port != port.name }) {
            return "\(mac) has a static entry on port \(entry.port)"
        }
        return "\(mac) is no address of a guest on port \(port.name), which has spoof-check"
    }

    /// A class this close to its ceiling over the last second is at it.
    private static let close = 0.95

    /// What would hold a frame in a class now: frames before it, and ceilings that are reached.
    static func holds(_ id: UInt16, _ classes: [ClassStatus]) -> [String] {
        var sentences: [String] = []
        var next: UInt16? = id
        while let present = next, let item = classes.first(where: { $0.id == present }) {
            let name = item.parent == nil ? item.tree : "class \(item.path)"
            let count = item.backlog.frames
            if item.id == id, count > 0 { sentences.append(count == 1 ? "1 frame waits in \(name) before it" : "\(count) frames wait in \(name) before it") }
            if let ceiling = item.ceiling, item.rateSeconds > 0, Double(item.rate) >= close * Double(ceiling) {
                sentences.append("\(name) is at its ceiling \(Quantity.rate.format(ceiling))")
            }
            next = item.parent
        }
        return sentences
    }
}
