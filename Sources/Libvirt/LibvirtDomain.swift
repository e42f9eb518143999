import Configuration
import Packet

/// What libvirt's XML says of a domain, as far as it concerns a virtual switch. It is the XML that a hook reads from standard input, that `virsh dumpxml`
/// prints of a running or a stopped domain, or that libvirt keeps in the status file of a running one (`<domstatus>`).
public struct LibvirtDomain: Equatable, Sendable {
    /// An interface of a type other than vhostuser, which Sluice does not serve.
    public struct OtherInterface: Equatable, Sendable {
        public var type: String
        public var mac: MACAddress?
        public var alias: String?
        public init(type: String, mac: MACAddress? = nil, alias: String? = nil) { self.type = type; self.mac = mac; self.alias = alias }
    }

    public var name: String
    public var uuid: String?
    /// The interfaces of type vhostuser. Each has another MAC address.
    public var interfaces: [LibvirtInterface] = []
    /// The interfaces of all other types.
    public var others: [OtherInterface] = []
    /// What Sluice's own element in the domain's `<metadata>` says.
    let metadata: LibvirtMetadata

    /// - Throws: everything that is wrong with the XML.
    public init(xml: [UInt8]) throws(ConfigurationError) {
        let element = try XMLTree.read(xml, "domain", in: ["domstatus"], printedBy: "virsh dumpxml")
        var problems = ProblemList()
        self.init(element, &problems)
        if !problems.isEmpty { throw problems.error() }
    }

    public init(xml: String) throws(ConfigurationError) { try self.init(xml: Array(xml.utf8)) }

    /// Adds an interface as it is about to be attached.
    /// - Parameter xml: a document with one `<interface type='vhostuser'>`, as `virsh attach-device` takes it, with a `<mac>`.
    /// - Throws: everything that is wrong with it.
    public mutating func attach(xml: [UInt8]) throws(ConfigurationError) {
        let element = try XMLTree.read(xml)
        guard element.name == "interface", element.attributes["type"] == "vhostuser" else {
            throw ConfigurationError("", "this is no <interface type='vhostuser'>: others are attached with virsh alone")
        }
        var problems = ProblemList()
        let interface = LibvirtInterface(element, number: interfaces.count + others.count + 1, &problems)
        if let interface, interfaces.contains(where: { $0.mac == interface.mac }) {
            problems.add(Problem(interface.path, "the domain has an interface with this address already: give it another", line: interface.line))
        }
        if !problems.isEmpty { throw problems.error() }
        if let interface { interfaces.append(interface) }
    }

    private init(_ element: XMLTree, _ problems: inout ProblemList) {
        name = element.first("name")?.text ?? ""
        if name.isEmpty { problems.add(Problem("", "a domain has a <name>: write one", line: element.line)) }
        uuid = element.first("uuid")?.text
        metadata = LibvirtMetadata(element.first("metadata"), &problems)
        var owners: [MACAddress: Int] = [:]
        for (number, item) in (element.first("devices")?.all("interface") ?? []).enumerated() {
            let type = item.attributes["type"] ?? ""
            guard type == "vhostuser" else {
                others.append(
                    OtherInterface(
                        type: type, mac: item.first("mac")?.attributes["address"].flatMap { MACAddress($0) }, alias: item.first("alias")?.attributes["name"]))
                continue
            }
            guard let interface = LibvirtInterface(item, number: number + 1, &problems) else { continue }
            if let line = owners[interface.mac] {
                problems.add(Problem(interface.path, "the interface of line \(line) has this address, too: give one of them another", line: interface.line))
            } else {
                owners[interface.mac] = interface.line
                interfaces.append(interface)
            }
        }
    }
}
