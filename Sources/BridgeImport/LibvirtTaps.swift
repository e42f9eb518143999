import Configuration
import Libvirt
import Packet

/// What libvirt's status file of a running domain says of its interfaces that are taps on a bridge.
public struct LibvirtTap: Equatable, Sendable {
    /// `<bandwidth>` of one direction: units of 1000 bytes a second, and of 1024 bytes; nil where nothing is written.
    public struct Limits: Equatable, Sendable {
        public var average: UInt64?, peak: UInt64?, floor: UInt64?, burst: UInt64?
        public init(average: UInt64? = nil, peak: UInt64? = nil, floor: UInt64? = nil, burst: UInt64? = nil) {
            (self.average, self.peak, self.floor, self.burst) = (average, peak, floor, burst)
        }
    }

    public var domain: String
    /// The tap's name, from `<target dev=...>`.
    public var device: String
    public var mac: MACAddress
    /// The number of queue pairs, from `<driver queues=...>`.
    public var queues: Int?
    public var inbound: Limits?
    public var outbound: Limits?
    /// How many interfaces of the domain are taps on a bridge.
    public var ofDomain = 1

    public init(domain: String, device: String, mac: MACAddress) {
        self.domain = domain
        self.device = device
        self.mac = mac
    }

    /// - Parameter xml: a file of /run/libvirt/qemu, or what `virsh dumpxml` prints of a running domain.
    /// - Throws: a sentence if this is no XML.
    public static func read(_ xml: [UInt8]) throws(ConfigurationError) -> [LibvirtTap] {
        let root = try XMLTree.read(xml)
        guard let domain = root.name == "domain" ? root : root.child("domain"), let name = domain.child("name")?.text else { return [] }
        var taps: [LibvirtTap] = []
        for item in domain.child("devices")?.children ?? [] where item.name == "interface" {
            guard ["bridge", "network", "ethernet", "direct"].contains(item.attributes["type"]), let device = item.child("target")?.attributes["dev"],
                let mac = item.child("mac")?.attributes["address"].flatMap({ MACAddress($0) })
            else { continue }
            var tap = LibvirtTap(domain: name, device: device, mac: mac)
            tap.queues = item.child("driver")?.attributes["queues"].flatMap { Int($0) }
            func limits(_ direction: String) -> Limits? {
                guard let values = item.child("bandwidth")?.child(direction)?.attributes else { return nil }
                func number(_ key: String) -> UInt64? { values[key].flatMap { UInt64($0) } }
                return Limits(average: number("average"), peak: number("peak"), floor: number("floor"), burst: number("burst"))
            }
            (tap.inbound, tap.outbound) = (limits("inbound"), limits("outbound"))
            taps.append(tap)
        }
        for index in taps.indices { taps[index].ofDomain = taps.count }
        return taps
    }
}

extension XMLTree {
    fileprivate func child(_ name: String) -> XMLTree? { children.first { $0.name == name } }
}
