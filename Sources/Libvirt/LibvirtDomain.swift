import Configuration
import Packet

/// libvirt's XML of a domain, as far as it concerns a virtual switch: as a hook reads it from standard input, or as `virsh dumpxml` prints it, of a domain that
/// runs or does not.
public struct LibvirtDomain: Equatable, Sendable {
    /// An interface of a type that Sluice has nothing to do with.
    public struct OtherInterface: Equatable, Sendable {
        public var type: String
        public var mac: MACAddress?
        public var alias: String?
        public init(type: String, mac: MACAddress? = nil, alias: String? = nil) { self.type = type; self.mac = mac; self.alias = alias }
    }

    public var name: String
    public var uuid: String?
    /// Those of type vhostuser, each address once.
    public var interfaces: [LibvirtInterface] = []
    /// The others, which are left alone.
    public var others: [OtherInterface] = []
    /// What Sluice's own metadata says.
    let metadata: LibvirtMetadata

    /// - Throws: everything that is wrong with it.
    public init(xml: [UInt8]) throws(ConfigurationError) {
        let root = try XMLTree.read(xml)
        guard let element = root.name == "domain" ? root : root.name == "domstatus" ? root.first("domain") : nil else {
            throw ConfigurationError([Problem("", "this is a <\(root.name)>, not a <domain>: pass what virsh dumpxml prints", line: root.line)])
        }
        var problems = ProblemList()
        self.init(element, &problems)
        if !problems.isEmpty { throw problems.error() }
    }

    public init(xml: String) throws(ConfigurationError) { try self.init(xml: Array(xml.utf8)) }

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
