import Configuration

/// What libvirt's XML says of a network, as far as it concerns the interfaces of the network (conf/network_conf.c).
public struct LibvirtNetwork: Equatable, Sendable {
    /// A `<portgroup>`: settings for the interfaces that name it. The default one applies to interfaces that name none.
    public struct PortGroup: Equatable, Sendable {
        public var name: String
        public var isDefault: Bool
        public var settings: Settings
    }

    /// What an interface may inherit from its network or port group.
    public struct Settings: Equatable, Sendable {
        /// In a port group this is the bandwidth of each interface. In a network it is that of all interfaces together, which is not inherited.
        public var bandwidth: LibvirtBandwidth?
        public var vlan: LibvirtVLAN?
        public var virtualPort: LibvirtVirtualPort?
        public init() {}
    }

    public var name: String
    public var uuid: String?
    /// From `<bridge name=...>`.
    public var bridge: String?
    public var mtu: Int?
    public var isIsolated = false
    public var settings = Settings()
    public var portGroups: [PortGroup] = []

    /// Reads what `virsh net-dumpxml` prints, what libvirt passes to the network hook, or the status file that libvirt keeps of a running network.
    /// - Throws: everything that is wrong with the XML, including what libvirt would refuse.
    public init(xml: [UInt8]) throws(ConfigurationError) {
        let element = try XMLTree.read(xml, "network", in: ["hookData", "networkstatus"], printedBy: "virsh net-dumpxml")
        var problems = ProblemList()
        self.init(element, &problems)
        if !problems.isEmpty { throw problems.error() }
    }

    public init(xml: String) throws(ConfigurationError) { try self.init(xml: Array(xml.utf8)) }

    private init(_ element: XMLTree, _ problems: inout ProblemList) {
        name = element.first("name")?.text ?? ""
        let path = name.isEmpty ? "network" : "network \(name)"
        if name.isEmpty { problems.add(Problem(path, "a network has a <name>: write one", line: element.line)) }
        uuid = element.first("uuid")?.text
        bridge = element.first("bridge")?.attributes["name"]
        if let size = element.first("mtu") {
            mtu = size.attributes["size"].flatMap { Int($0) }
            if mtu == nil { problems.add(Problem(path, "<mtu size='\(size.attributes["size"] ?? "")'> is no number: write it in bytes", line: size.line)) }
        }
        isIsolated = element.first("port")?.attributes["isolated"] == "yes"
        let floorInstead = "a floor belongs to an interface"
        settings = Settings(element, path, floorInstead: "\(floorInstead), not to a network", &problems)
        var names: Set<String> = [], standard: String?
        for group in element.all("portgroup") {
            let name = group.attributes["name"] ?? "", inner = "\(path) portgroup \(name)"
            if name.isEmpty { problems.add(Problem(inner, "a <portgroup> has a name: write name='...'", line: group.line)) }
            if !names.insert(name).inserted { problems.add(Problem(inner, "two port groups have this name: give one another", line: group.line)) }
            let isDefault = group.attributes["default"] == "yes"
            if isDefault, let standard {
                problems.add(Problem(inner, "the port group \(standard) is the default already: one of them has to say default='no'", line: group.line))
            }
            if isDefault { standard = name }
            portGroups.append(
                PortGroup(name: name, isDefault: isDefault, settings: Settings(group, inner, floorInstead: "\(floorInstead), not to a port group", &problems)))
        }
    }

    /// The rate in bit/s of all traffic towards the network's interfaces together, from which their floors are taken: the `rate` of the bridge. It is the peak
    /// or, without one, the average, because that is how far libvirt admits floors (network/bridge_driver.c). Nil if the network has no inbound average.
    public var inboundRate: UInt64? {
        settings.bandwidth?.inbound.flatMap {
            LibvirtBandwidth.rate($0.average) == nil ? nil : LibvirtBandwidth.rate($0.peak) ?? LibvirtBandwidth.rate($0.average)
        }
    }

    /// The command that sets this rate on a bridge of Sluice; nil if there is no rate.
    public func command(bridge: String) -> EditCommand? {
        inboundRate.map { EditCommand(.bridge, .set, [bridge, "rate", Quantity.rate.format($0)]) }
    }

    /// The port group of this name; the default one, if there is one, for an interface that names none.
    func portGroup(_ name: String?) -> PortGroup? {
        if let name { portGroups.first { $0.name == name } } else { portGroups.first(where: \.isDefault) }
    }
}

extension LibvirtNetwork.Settings {
    init(_ element: XMLTree, _ path: String, floorInstead: String, _ problems: inout ProblemList) {
        if let found = element.first("bandwidth") { bandwidth = LibvirtBandwidth(found, path, floorInstead: floorInstead, &problems) }
        if let found = element.first("vlan") { vlan = LibvirtVLAN(found, path, &problems) }
        virtualPort = element.first("virtualport").map(LibvirtVirtualPort.init)
    }
}
