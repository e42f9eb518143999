import LinkProtocols
import Packet

/// An address of Fibre Channel that a node was granted, or has claimed, under the names that users gave.
public struct FIPGrantReport: Sendable {
    public var bridge: String
    public var port: String
    /// The guest that has the node; nil: the node is beyond a physical port.
    public var guest: String?
    /// The VLAN; nil: the bridge has none.
    public var vlan: Int?
    public var address: MACAddress
    /// The node's own address, and that of the forwarder that granted `address`; nil: the node has claimed it (VN2VN).
    public var node: MACAddress
    public var forwarder: MACAddress?
    /// How long the node has had it, and how long it keeps it if it is not renewed, in ns.
    public var age: UInt64
    public var timeLeft: UInt64
}

extension DataPlane {
    /// The addresses that nodes have on bridges with a port that has `fip-snooping`.
    /// - Parameter bridge: the bridge to report; nil: all.
    /// - Throws: a sentence if poll loops are changing the grants all the time.
    public func fipReports(bridge: String?) throws(DataPlaneError) -> [FIPGrantReport] {
        var reports: [FIPGrantReport] = []
        for (name, state) in bridges.sorted(by: { $0.key < $1.key }) where bridge == nil || bridge == name {
            guard let fip = state.fip else { continue }
            guard let grants = fip.pointee.list(at: runtime.now) else {
                throw DataPlaneError("bridge \(name): poll loops change the addresses of Fibre Channel all the time just now: try again")
            }
            reports += grants.compactMap { report($0, of: name) }
        }
        return reports
    }

    /// - Returns: nil if the grant's port is gone; its grants end at once.
    func report(_ grant: FIPGrant, of bridge: String) -> FIPGrantReport? {
        guard let port = ports.values.first(where: { $0.index == grant.port && $0.settings.bridge == bridge }) else { return nil }
        let guests = effectiveGuests.filter { $0.settings.port == port.settings.name }, node = MACAddress(value: grant.node)
        let guest = guests.first { $0.settings.macs.contains(node) } ?? guests.first(where: \.isCatchAll)
        return FIPGrantReport(
            bridge: bridge, port: port.settings.name, guest: port.isPhysical ? nil : guest?.settings.name, vlan: grant.vlan == 0 ? nil : Int(grant.vlan),
            address: MACAddress(value: grant.address), node: node, forwarder: grant.forwarder.map { MACAddress(value: $0) }, age: grant.age,
            timeLeft: grant.timeLeft)
    }
}
