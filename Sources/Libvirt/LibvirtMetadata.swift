import Configuration
import Packet

/// What Sluice's own element in a domain's `<metadata>` says: what libvirt's XML has no words for, in the keys of Sluice's configuration.
///
///     <sluice:domain xmlns:sluice='urn:sluice:libvirt:1'>
///       <interface mac='52:54:00:12:34:56' bridge='br0' group='tenant-a' spoof-check='on'>
///         <inbound floor='500mbit' ceiling='2gbit'/>
///         <outbound floor='100mbit'/>
///         <protocol name='iscsi'><inbound floor='200mbit' priority='1'/></protocol>
///       </interface>
///     </sluice:domain>
///
/// Below the outermost element names may do without the namespace; `virsh metadata --set` takes all without, and adds it. An interface without `mac` stands for
/// all that no other names. A key of one value is an attribute; a list's values stand there with commas between them; a key of several values is an element.
struct LibvirtMetadata: Equatable, Sendable {
    static let namespace = "urn:sluice:libvirt:1"
    /// Values that all interfaces of a domain have together: one that stands for all others stands for as many times what it says.
    static let heaviest = 200_000

    struct Interface: Equatable, Sendable {
        /// nil: any.
        var mac: MACAddress?
        /// Of its port and its guest; nil: made from the domain's.
        var name: String?
        var bridge: String?
        var network: String?
        var portGroup: String?
        var port: [Key] = []
        var guest: [Key] = []
        var line: Int
        /// How much there is of it.
        var weight = 0
    }

    /// A key of the configuration, as it was written.
    struct Key: Equatable, Sendable {
        indirect enum Value: Equatable, Sendable {
            case scalar(String)
            case list([String])
            case map([Key])
        }
        var key: String
        var value: Value
        var line: Int
    }

    /// By address; nil is that of all others.
    private(set) var interfaces: [MACAddress?: Interface] = [:]

    /// What holds for the interface of an address.
    func interface(_ mac: MACAddress) -> Interface? { interfaces[mac] ?? interfaces[nil] }
}

extension LibvirtMetadata {
    /// Attributes that are no keys of a port or a guest.
    static let ownKeys = ["mac", "name", "bridge", "network", "portgroup"]

    /// Keys of ports that metadata may set: those of guests' ports, but for what libvirt's own XML says.
    static let portKeys = EditObject.port.fields.filter { field in
        !["name", "type", "bridge", "socket", "mode", "queues"].contains(field.key) && (field.types?.contains(.vhost) ?? true)
    }
    static let guestKeys = EditObject.guest.fields.filter { !["name", "port", "vlan", "protocols"].contains($0.key) }
    /// Where the protocols of a guest are.
    private static let protocolKeys = guestKeys.filter { $0.key == "inbound" || $0.key == "outbound" }
    private static let libvirtKeys = EditObject.port.fields.filter { ["type", "socket", "mode", "queues"].contains($0.key) }

    /// - Parameter element: libvirt's `<metadata>`.
    init(_ element: XMLTree?, _ problems: inout ProblemList) {
        let own = element?.children.filter { $0.namespace == Self.namespace } ?? []
        guard let root = own.first else { return }
        if own.count > 1 {
            problems.add(Problem("metadata", "two elements of \(Self.namespace) stand here, and one is read: put them into one", line: own[1].line))
        }
        guard root.name == "domain" else {
            problems.add(Problem("metadata", "<\(root.name)> is not Sluice's: write <domain> with <interface mac='...'> in it", line: root.line))
            return
        }
        if let key = root.attributes.keys.min() {
            problems.add(
                Problem(
                    "metadata", "'\(key)' does not belong to <domain>: write it at an <interface>; one without mac stands for all interfaces", line: root.line))
        }
        Self.refuseText(root, "metadata", &problems)
        for child in root.children {
            guard child.name == "interface", Self.isOwn(child) else {
                problems.add(Problem("metadata", "<\(child.name)> does not belong into <domain>: write <interface mac='...'>", line: child.line))
                continue
            }
            guard let interface = Self.interface(child, &problems) else { continue }
            if interfaces[interface.mac] != nil {
                let which = interface.mac.map { "the interface \($0)" } ?? "an interface without mac"
                problems.add(Problem("metadata", "\(which) stands twice: put both into one", line: child.line))
            } else {
                interfaces[interface.mac] = interface
            }
        }
    }

    private static func interface(_ element: XMLTree, _ problems: inout ProblemList) -> Interface? {
        var result = Interface(line: element.line)
        var path = "metadata interface"
        if let text = element.attributes["mac"] {
            guard let mac = MACAddress(text) else {
                problems.add(Problem(path, "'\(text)' is not a MAC address: write six octets, such as 52:54:00:12:34:56", line: element.line))
                return nil
            }
            result.mac = mac
            path += " \(mac)"
        }
        (result.name, result.bridge, result.network, result.portGroup) =
            (element.attributes["name"], element.attributes["bridge"], element.attributes["network"], element.attributes["portgroup"])
        if result.name != nil, result.mac == nil {
            problems.add(Problem(path, "a name is one interface's: write mac='...' too, or leave it out", line: element.line))
        }
        refuseText(element, path, &problems)
        var protocols: [Key] = [], names: Set<String> = []
        var inner = element
        inner.attributes = element.attributes.filter { !ownKeys.contains($0.key) }
        inner.children = element.children.filter { child in
            guard child.name == "protocol", isOwn(child) else { return true }
            guard let name = child.attributes["name"], !name.isEmpty else {
                problems.add(Problem(path, "a <protocol> needs the name of one: write name='iscsi'", line: child.line))
                return false
            }
            if !names.insert(name).inserted { problems.add(Problem("\(path).protocols.\(name)", "it stands twice: write it once", line: child.line)) }
            var rest = child
            rest.attributes["name"] = nil
            refuseText(child, "\(path).protocols.\(name)", &problems)
            let within = keys(rest, protocolKeys, "\(path).protocols.\(name)", of: "a protocol of a guest", &problems)
            protocols.append(Key(key: name, value: .map(within), line: child.line))
            return false
        }
        for key in keys(inner, portKeys + guestKeys + libvirtKeys, path, of: "an interface", &problems) {
            if guestKeys.contains(where: { $0.key == key.key }) {
                result.guest.append(key)
            } else if libvirtKeys.contains(where: { $0.key == key.key }) {
                problems.add(Problem("\(path).\(key.key)", "that is said by the <interface> of the domain itself: leave it out here", line: key.line))
            } else {
                result.port.append(key)
            }
        }
        if !protocols.isEmpty { result.guest.append(Key(key: "protocols", value: .map(protocols), line: element.line)) }
        result.weight = (result.port + result.guest).reduce(0) { $0 + $1.weight }
        return result
    }

    /// What an element says: attributes and elements of these keys.
    private static func keys(_ element: XMLTree, _ fields: [FieldDescription], _ path: String, of noun: String, _ problems: inout ProblemList) -> [Key] {
        var result: [Key] = [], names = Set(element.attributes.keys)
        for (key, text) in element.attributes.sorted(by: { $0.key < $1.key }) {
            guard let field = fields.first(where: { $0.key == key }) else {
                problems.add(Problem("\(path).\(key)", noKey(key, of: noun, among: fields.map(\.key)), line: element.line))
                continue
            }
            result.append(Key(key: key, value: field.value.divided(text), line: element.line))
        }
        for child in element.children {
            let inner = "\(path).\(child.name)"
            guard isOwn(child) else {
                problems.add(Problem(inner, "<\(child.name)> is of the namespace \(child.namespace): write it without, or with \(namespace)", line: child.line))
                continue
            }
            guard names.insert(child.name).inserted else {
                problems.add(Problem(inner, "'\(child.name)' stands twice: write it once", line: child.line))
                continue
            }
            guard let field = fields.first(where: { $0.key == child.name }) else {
                problems.add(Problem(inner, noKey(child.name, of: noun, among: fields.map(\.key)), line: child.line))
                continue
            }
            refuseText(child, inner, &problems)
            if field.value.keys.isEmpty {
                problems.add(Problem(inner, "'\(child.name)' takes one value: write \(child.name)='...' in <\(element.name)>", line: child.line))
                continue
            }
            result.append(Key(key: child.name, value: .map(keys(child, field.value.keys, inner, of: child.name, &problems)), line: child.line))
        }
        return result
    }

    private static func isOwn(_ element: XMLTree) -> Bool { element.namespace.isEmpty || element.namespace == namespace }

    private static func refuseText(_ element: XMLTree, _ path: String, _ problems: inout ProblemList) {
        if element.text.isEmpty { return }
        problems.add(
            Problem(
                path, "'\(element.text.prefix(40))' stands between the tags of <\(element.name)>: values are attributes, such as floor='100mbit'",
                line: element.line))
    }
}

extension LibvirtMetadata.Key {
    /// As long texts take longer to look through.
    var weight: Int {
        switch value {
        case .scalar(let text): 1 + text.utf8.count / 64
        case .list(let items): items.reduce(1) { $0 + 1 + $1.utf8.count / 64 }
        case .map(let keys): keys.reduce(1) { $0 + $1.weight }
        }
    }

    /// As Sluice's own reader takes it.
    func entry(_ path: String) -> Element.Entry {
        let inner = "\(path).\(key)"
        let content: Element.Content =
            switch value {
            case .scalar(let text): .scalar(text)
            case .list(let items): .list(items.enumerated().map { Element(line: line, path: "\(inner)[\($0)]", content: .scalar($1)) })
            case .map(let keys): .map(keys.map { $0.entry(inner) })
            }
        return Element.Entry(key: key, line: line, value: Element(line: line, path: inner, content: content))
    }
}

extension FieldValue {
    /// Of all maps that it may be.
    var keys: [FieldDescription] {
        switch self {
        case .map(let fields, _): fields
        case .either(let all): all.flatMap(\.keys)
        default: []
        }
    }

    /// An attribute's text.
    fileprivate func divided(_ text: String) -> LibvirtMetadata.Key.Value {
        guard case .list = self, !["none", "default"].contains(text.lowercased()) else { return .scalar(text) }
        return .list(text.split(separator: ",").map { String($0.trimmingPrefix { $0 == " " }) })
    }
}
