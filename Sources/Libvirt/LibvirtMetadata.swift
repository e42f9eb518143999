import Configuration
import Packet

/// Sluice's own element in a domain's `<metadata>`. It says what libvirt's own XML cannot express, with the keys of Sluice's configuration.
///
///     <sluice:domain xmlns:sluice='urn:sluice:libvirt:1'>
///       <interface mac='52:54:00:12:34:56' bridge='br0' group='tenant-a' spoof-check='on'>
///         <inbound floor='500mbit' ceiling='2gbit'/>
///         <outbound floor='100mbit'/>
///         <protocol name='iscsi'><inbound floor='200mbit' priority='1'/></protocol>
///       </interface>
///     </sluice:domain>
///
/// Names within the outermost element may be written without the namespace; `virsh metadata --set` takes all names without it and adds it. An `<interface>`
/// without `mac` applies to all interfaces that no other one names. A key with one value is written as an attribute; so is a list, with commas between its
/// values. A key that is a map is written as an element.
struct LibvirtMetadata: Equatable, Sendable {
    static let namespace = "urn:sluice:libvirt:1"
    /// The largest sum of the weights of all interfaces of a domain. An `<interface>` without `mac` counts once for each interface that it applies to, so that
    /// a short document cannot make a huge configuration.
    static let heaviest = 200_000

    struct Interface: Equatable, Sendable {
        /// The address of the interface; nil if this applies to all interfaces that no other one names.
        var mac: MACAddress?
        /// The name of its port and its guest; nil if it is made from the interface's or the domain's name.
        var name: String?
        var bridge: String?
        var network: String?
        var portGroup: String?
        var port: [Key] = []
        var guest: [Key] = []
        var line: Int
        /// How much the keys hold: the sum of their weights.
        var weight = 0
    }

    /// A key of Sluice's configuration, with its value as it is written in the metadata.
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

    /// By MAC address; the one under nil applies to all other interfaces.
    private(set) var interfaces: [MACAddress?: Interface] = [:]

    /// What applies to the interface with this address; nil if nothing does.
    func interface(_ mac: MACAddress) -> Interface? { interfaces[mac] ?? interfaces[nil] }
}

extension LibvirtMetadata {
    /// The attributes of `<interface>` that are not keys of a port or a guest.
    static let ownKeys = ["mac", "name", "bridge", "network", "portgroup"]

    /// The keys of vhost ports that the metadata may set: all except those that libvirt's own XML or the attributes in `ownKeys` say.
    static let portKeys = EditObject.port.fields.filter { field in
        !["name", "type", "bridge", "socket", "mode", "queues"].contains(field.key) && (field.types?.contains(.vhost) ?? true)
    }
    static let guestKeys = EditObject.guest.fields.filter { !["name", "port", "vlan", "protocols"].contains($0.key) }
    /// The keys that a `<protocol>` may have.
    private static let protocolKeys = guestKeys.filter { $0.key == "inbound" || $0.key == "outbound" }
    private static let libvirtKeys = EditObject.port.fields.filter { ["type", "socket", "mode", "queues"].contains($0.key) }

    /// Reads Sluice's element. What is wrong with it is added to `problems`.
    /// - Parameter element: the domain's `<metadata>` element; nil if it has none.
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

    /// Reads the attributes and inner elements of an element, which must be among the keys in `fields`.
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
    /// A measure of how much work the key is: one for each value, and more for long texts.
    var weight: Int {
        switch value {
        case .scalar(let text): 1 + text.utf8.count / 64
        case .list(let items): items.reduce(1) { $0 + 1 + $1.utf8.count / 64 }
        case .map(let keys): keys.reduce(1) { $0 + $1.weight }
        }
    }

    /// The key as an entry of Sluice's own configuration.
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
    /// The keys of the map that the value is, or of all maps that it may be; empty if it is none.
    var keys: [FieldDescription] {
        switch self {
        case .map(let fields, _): fields
        case .either(let all): all.flatMap(\.keys)
        default: []
        }
    }

    /// The value of an attribute's text, which is divided at its commas if this is a list.
    fileprivate func divided(_ text: String) -> LibvirtMetadata.Key.Value {
        guard case .list = self, !["none", "default"].contains(text.lowercased()) else { return .scalar(text) }
        return .list(text.split(separator: ",").map { String($0.trimmingPrefix { $0 == " " }) })
    }
}
