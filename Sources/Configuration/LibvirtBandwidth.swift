/// libvirt's `<bandwidth>` element (conf/netdev_bandwidth_conf.c) and what it means here.
///
/// libvirt documents KiB/s but hands tc `kbps`, which is 1000 bytes a second, and bursts as `kb`, which is 1024 bytes; this follows what
/// it does. Directions are the guest's: inbound is towards it.
public struct LibvirtBandwidth: Equatable, Sendable {
    /// One direction's attributes, in libvirt's units.
    public struct Limits: Equatable, Sendable {
        /// 1000 bytes a second.
        public var average: UInt64?
        public var peak: UInt64?
        public var floor: UInt64?
        /// 1024 bytes.
        public var burst: UInt64?
        public init(average: UInt64? = nil, peak: UInt64? = nil, floor: UInt64? = nil, burst: UInt64? = nil) {
            self.average = average
            self.peak = peak
            self.floor = floor
            self.burst = burst
        }
    }

    /// Whose bandwidth it is: what may be set depends on it.
    public enum Owner: String, Sendable { case network, portgroup, interface }

    public var inbound: Limits?
    public var outbound: Limits?

    public init(inbound: Limits? = nil, outbound: Limits? = nil) {
        self.inbound = inbound
        self.outbound = outbound
    }

    /// Reads the attributes of `<inbound>` or `<outbound>`.
    public static func limits(_ element: String, attributes: [String: String]) throws(LibvirtBandwidthError) -> Limits {
        func number(_ name: String) throws(LibvirtBandwidthError) -> UInt64? {
            guard let text = attributes[name] else { return nil }
            guard let value = UInt64(text), value <= most else {
                throw .init("<\(element)> \(name)='\(text)' is not a whole number from 0 to \(most); write it in units of 1000 bytes a second, burst in units of 1024 bytes")
            }
            return value
        }
        return Limits(average: try number("average"), peak: try number("peak"), floor: try number("floor"), burst: try number("burst"))
    }

    /// Largest value here; times 8192 it is still below 2^63.
    static let most: UInt64 = 1 << 50

    /// Throws what libvirt refuses for `owner`.
    public func check(_ owner: Owner) throws(LibvirtBandwidthError) {
        if let inbound {
            try check(inbound, "inbound")
            if inbound.floor != nil, owner != .interface {
                throw .init("a floor belongs to an interface: move floor='\(inbound.floor!)' from the \(owner.rawValue)'s <inbound> to the <interface> it is for")
            }
        }
        if let outbound {
            try check(outbound, "outbound")
            if let floor = outbound.floor {
                throw .init("libvirt knows floors only inbound: remove floor='\(floor)' from <outbound>, or set an outbound floor in Sluice's own metadata")
            }
        }
    }

    private func check(_ limits: Limits, _ element: String) throws(LibvirtBandwidthError) {
        if limits.average == nil {
            if limits.peak != nil { throw .init("<\(element)> has a peak but no average: add average='...'") }
            if limits.burst != nil { throw .init("<\(element)> has a burst but no average: add average='...'") }
            if limits.floor == nil { throw .init("<\(element)> needs average='...' or floor='...'") }
        }
        if limits.average == 0, limits.peak == nil || limits.peak == 0 {
            throw .init("<\(element)> average='0' would let nothing through: remove it for no limit")
        }
    }

    /// Traffic towards the guest. libvirt makes an HTB class without a parent of the interface: such a class never exceeds its rate by
    /// borrowing, so `average` is a ceiling with `burst` in hand, and `peak` bounds how fast a burst leaves.
    public func inboundClass(in network: LibvirtNetwork?) throws(LibvirtBandwidthError) -> ClassSettings {
        try check(.interface)
        var settings = ClassSettings()
        guard let inbound else { return settings }
        settings.ceiling = inbound.average.map(Self.rate)
        settings.peak = inbound.peak.map(Self.rate)
        settings.ceilingBurst = inbound.burst.map(Self.size)
        if let floor = inbound.floor {
            guard let network else {
                throw .init("a floor needs a network with <bandwidth><inbound average='...'/> to take it from: set that, or remove floor='\(floor)'")
            }
            settings.floor = Self.rate(floor)
            let limit = Self.rate(network.capacity)
            settings.ceiling = min(settings.ceiling ?? limit, limit)
        }
        return settings
    }

    /// Traffic from the guest: libvirt polices it to `average` and ignores `peak`. Sluice paces instead of dropping. Without a burst
    /// libvirt allows as many KiB as the average has; here the deepest bucket bounds that.
    public func outboundPace() throws(LibvirtBandwidthError) -> PaceSettings? {
        try check(.interface)
        guard let average = outbound?.average else { return nil }
        return PaceSettings(average: Self.rate(average), burst: outbound?.burst.map(Self.size) ?? min(Self.size(average), Validator.largestBurst))
    }

    /// bit/s
    public static func rate(_ value: UInt64) -> UInt64 { value * 8_000 }
    /// bytes
    public static func size(_ value: UInt64) -> UInt64 { value * 1_024 }
}

/// A sentence that says what is wrong and what to write instead.
public struct LibvirtBandwidthError: Error, Equatable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
