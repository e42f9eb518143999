/// The inbound side of a libvirt network: the floors of its interfaces are taken from it (network/bridge_driver.c).
public struct LibvirtNetwork: Equatable, Sendable {
    public let inbound: LibvirtBandwidth.Limits
    /// Floors admitted, by class id.
    public private(set) var floors: [UInt16: UInt64] = [:]

    /// - Parameter floors: those of interfaces that are already there, with the class ids they had, as libvirt's status file has them.
    public init(_ bandwidth: LibvirtBandwidth, floors: [UInt16: UInt64] = [:]) throws(LibvirtBandwidthError) {
        try bandwidth.check(.network)
        guard let inbound = bandwidth.inbound, inbound.average != nil else {
            throw LibvirtBandwidthError("the network has no <inbound average='...'/>: its interfaces can have no floor")
        }
        self.inbound = inbound
        self.floors = floors
        try admit(sum)
    }

    /// What floors may sum to, in units of 1000 bytes a second: the peak, or else the average.
    public var capacity: UInt64 { inbound.peak ?? inbound.average ?? 0 }

    private var sum: UInt64 { floors.values.reduce(0, +) }

    /// What interfaces without a floor share (libvirt's class 1:2). Where floors leave nothing, libvirt's tc call fails with a warning; here
    /// those interfaces have no floor and live on what the others do not use: nil.
    public var rest: ClassSettings {
        var settings = ClassSettings()
        let left = capacity - sum
        settings.floor = left == 0 ? nil : LibvirtBandwidth.rate(left)
        settings.ceiling = LibvirtBandwidth.rate(capacity)
        return settings
    }

    /// The class all others are under (libvirt's 1:1).
    public var whole: ClassSettings {
        var settings = ClassSettings()
        settings.floor = inbound.average.map(LibvirtBandwidth.rate)
        settings.ceiling = LibvirtBandwidth.rate(capacity)
        settings.burst = inbound.burst.map(LibvirtBandwidth.size)
        return settings
    }

    /// Takes an interface's floor in. Returns its class id: the lowest free one from 3, as libvirt's bitmap gives it.
    public mutating func plug(floor: UInt64) throws(LibvirtBandwidthError) -> UInt16 {
        try admit(sum + floor)
        guard let id = (UInt16(3)...).first(where: { floors[$0] == nil }) else {
            throw LibvirtBandwidthError("all 65 533 class ids of the network are taken: remove an interface with a floor first")
        }
        floors[id] = floor
        return id
    }

    /// Changes a floor in place; if it does not fit, the old one stays.
    public mutating func change(_ id: UInt16, floor: UInt64) throws(LibvirtBandwidthError) {
        guard let old = floors[id] else { throw LibvirtBandwidthError("no interface of the network has class id \(id)") }
        try admit(sum - old + floor)
        floors[id] = floor
    }

    public mutating func unplug(_ id: UInt16) { floors[id] = nil }

    private func admit(_ total: UInt64) throws(LibvirtBandwidthError) {
        guard total > capacity else { return }
        let kind = inbound.peak == nil ? "average" : "peak"
        throw LibvirtBandwidthError(
            "floors of \(total) in all exceed the network's inbound \(kind) of \(capacity): lower a floor by \(total - capacity) or raise the \(kind)")
    }
}
