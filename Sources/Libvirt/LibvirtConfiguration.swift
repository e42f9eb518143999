import Configuration
import Packet

/// What a domain comes to in Sluice: for each of its vhostuser interfaces a port and a guest of the same name.
public struct LibvirtConfiguration: Equatable, Sendable {
    public var domain: String
    public var uuid: String?
    /// The ports and guests, and nothing else: `yaml` says it as a file, `Model.replacing` puts it in place of another.
    public var part: Model
    /// Interfaces that are left alone.
    public var others: [LibvirtDomain.OtherInterface]
    /// What is not as it is written, and nothing that keeps the domain from running.
    public var notes: [Problem] = []

    /// - Parameters:
    ///   - networks: those that interfaces may name.
    ///   - model: where it is to be put: its bridges are those that there are.
    ///   - bridge: of interfaces that name none; nil: the only one that there is.
    /// - Throws: everything that is wrong, by the interface. Whether it goes together with the rest of `model` is not looked at: `Model.replacing` does.
    public init(_ domain: LibvirtDomain, networks: [LibvirtNetwork] = [], in model: Model, bridge: String? = nil) throws(ConfigurationError) {
        var problems = ProblemList()
        var ports: [Element] = [], guests: [Element] = [], notes = ProblemList(), names: [String: MACAddress] = [:]
        var weight = 0
        for interface in domain.interfaces {
            weight += domain.metadata.interface(interface.mac)?.weight ?? 0
            guard weight <= LibvirtMetadata.heaviest else {
                throw ConfigurationError(
                    "metadata", "an interface without mac says more here than \(domain.interfaces.count) interfaces can have: write less, or mac='...'")
            }
            var draft = Draft(interface, in: domain, &problems)
            draft.inherit(networks, &problems, &notes)
            draft.choose(model.bridges.map(\.name), bridge, &problems)
            if let other = names.updateValue(interface.mac, forKey: draft.name) {
                problems.add(
                    Problem(
                        interface.path, "the interface \(other) is called \(draft.name), too: give one another <target dev>, or another name in the metadata",
                        line: interface.line))
            }
            for note in draft.interface.bandwidth?.notes ?? [] { notes.add(Problem(interface.path, note, line: interface.line)) }
            ports.append(draft.port)
            guests.append(draft.guest)
        }
        let macs = Set(domain.interfaces.map(\.mac))
        for policy in domain.metadata.interfaces.values.sorted(by: { $0.line < $1.line }) {
            guard let mac = policy.mac, !macs.contains(mac) else { continue }
            notes.add(Problem("metadata interface \(mac)", "no interface of type vhostuser has this address: it waits for one", line: policy.line))
        }
        if !problems.isEmpty { throw problems.error() }
        func list(_ key: String, _ items: [Element]) -> Element.Entry { Element.Entry(key: key, value: Element(path: key, content: .list(items))) }
        part = try Model(Element(path: "", content: .map([list("ports", ports), list("guests", guests)])))
        (self.domain, uuid, others, self.notes) = (domain.name, domain.uuid, domain.others, notes.all())
    }
}

extension Model {
    /// This model after a domain came, changed or went.
    /// - Parameters:
    ///   - old: what the domain had; nil: nothing is known of it, and what is here by the new one's names is replaced.
    ///   - new: what it has; nil: it is gone.
    /// - Throws: what is wrong with the result; nothing has changed then.
    public func replacing(_ old: LibvirtConfiguration?, with new: LibvirtConfiguration?) throws(ConfigurationError) -> Model {
        try replacing(old?.part ?? new?.part ?? Model(), with: new?.part ?? Model())
    }
}

/// A port and a guest in the making.
private struct Draft {
    var interface: LibvirtInterface
    let metadata: LibvirtMetadata.Interface?
    let name: String
    var bridge: String?
    private var network: LibvirtNetwork?

    init(_ interface: LibvirtInterface, in domain: LibvirtDomain, _ problems: inout ProblemList) {
        self.interface = interface
        metadata = domain.metadata.interface(interface.mac)
        name = metadata?.name ?? Self.name(of: interface, in: domain.name)
        if let network = metadata?.network {
            if let other = interface.network, other != network {
                problems.add(Problem(interface.path, "its <source> names network \(other), and the metadata \(network): take one away", line: interface.line))
            }
            self.interface.network = network
        }
        if let group = metadata?.portGroup { self.interface.portGroup = group }
    }

    /// The interface's own name, if it has one that may be; otherwise the domain's with the end of the address. It does not depend on other interfaces, so that
    /// it stays when they come and go, and it is the same on the host that the domain migrates to.
    private static func name(of interface: LibvirtInterface, in domain: String) -> String {
        // libvirt makes these up at each start, and takes them back (util/virnetdev.h).
        if let target = interface.target, !["vnet", "macvtap", "macvlan"].contains(where: { target.hasPrefix($0) }), isName(target) { return target }
        let octets = interface.mac.description.split(separator: ":").joined()
        let letters = domain.utf8.map { Validator.isOfNames($0) ? $0 : UInt8(ascii: "_") }
        // All of libvirt's own addresses begin with 52:54:00 (util/virmacaddr.c). Where the domain's name is not there as it is, only the whole address tells
        // it apart.
        let isWhole = isName(domain) && domain.utf8.count + 7 <= Validator.longestName
        let end = isWhole && octets.hasPrefix("525400") ? String(octets.dropFirst(6)) : octets
        return String(decoding: letters.prefix(Validator.longestName - 1 - end.utf8.count), as: UTF8.self) + "-" + end
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= Validator.longestName && text.utf8.allSatisfy(Validator.isOfNames)
    }

    mutating func inherit(_ networks: [LibvirtNetwork], _ problems: inout ProblemList, _ notes: inout ProblemList) {
        guard let name = interface.network else { return }
        guard let found = networks.first(where: { $0.name == name }) else {
            let known = networks.isEmpty ? "no network is known here" : "there is \(networks.prefix(12).map(\.name).joined(separator: ", "))"
            problems.add(Problem(interface.path, "there is no network \(name): \(known)", line: interface.line))
            return
        }
        network = found
        interface.inherit(from: found, &problems, &notes)
    }

    /// - Parameter bridges: those that there are.
    mutating func choose(_ bridges: [String], _ standard: String?, _ problems: inout ProblemList) {
        bridge = metadata?.bridge ?? network?.bridge.flatMap { bridges.contains($0) ? $0 : nil } ?? standard ?? (bridges.count == 1 ? bridges[0] : nil)
        if bridge != nil { return }
        let there = bridges.isEmpty ? "none is configured" : "there are \(bridges.prefix(12).joined(separator: ", "))"
        problems.add(
            Problem(
                interface.path,
                "no bridge is named for it, and \(there): write <interface mac='\(interface.mac)' bridge='\(bridges.first ?? "br0")'/>"
                    + " in the domain's metadata",
                line: interface.line))
    }

    var port: Element {
        // QEMU's side is the other one.
        let mode: VhostMode = interface.mode == .server ? .client : .server
        var entries = [entry("name", name), entry("type", PortType.vhost.rawValue), entry("socket", interface.socket), entry("mode", mode.rawValue)]
        if let bridge { entries.append(entry("bridge", bridge)) }
        if let queues = interface.queues { entries.append(entry("queues", String(queues))) }
        if let mtu = interface.mtu { entries.append(entry("mtu", String(mtu))) }
        if interface.isIsolated == true { entries.append(entry("isolated", "on")) }
        switch interface.vlan?.portVLAN {
        case .access(let id): entries.append(entry("vlan", String(id)))
        case .trunk(let list, let native): entries.append(map("vlan", [("trunk", list.text), ("native", native.map { String($0) })]))
        case .service, nil: break
        }
        if let pace = interface.bandwidth?.outboundPace {
            entries.append(
                map(
                    "pace",
                    [
                        ("average", Quantity.rate.format(pace.average)), ("peak", pace.peak.map(Quantity.rate.format)),
                        ("burst", pace.burst.map(Quantity.size.format)),
                    ]))
        }
        return element(entries, metadata?.port ?? [])
    }

    var guest: Element {
        var entries = [entry("name", name), entry("port", name)]
        if let settings = interface.bandwidth?.inboundClass, settings != ClassSettings() {
            let rates = [("ceiling", settings.ceiling), ("peak", settings.peak)].map { ($0.0, $0.1.map(Quantity.rate.format)) }
            entries.append(map("inbound", rates + [("ceiling-burst", settings.ceilingBurst.map(Quantity.size.format))]))
        }
        var keys = metadata?.guest ?? []
        // Others besides its own.
        var macs = [interface.mac.description]
        if let place = keys.firstIndex(where: { $0.key == "macs" }), case .list(let more) = keys[place].value {
            macs += more
            keys.remove(at: place)
        }
        let items = macs.enumerated().map { Element(line: interface.line, path: "\(interface.path).macs[\($0)]", content: .scalar($1)) }
        entries.append(
            Element.Entry(key: "macs", line: interface.line, value: Element(line: interface.line, path: "\(interface.path).macs", content: .list(items))))
        return element(entries, keys)
    }

    private func entry(_ key: String, _ text: String) -> Element.Entry {
        Element.Entry(key: key, line: interface.line, value: Element(line: interface.line, path: "\(interface.path).\(key)", content: .scalar(text)))
    }

    private func map(_ key: String, _ values: [(key: String, text: String?)]) -> Element.Entry {
        let entries = values.compactMap { value in
            value.text.map {
                Element.Entry(
                    key: value.key, line: interface.line,
                    value: Element(line: interface.line, path: "\(interface.path).\(key).\(value.key)", content: .scalar($0)))
            }
        }
        return Element.Entry(key: key, line: interface.line, value: Element(line: interface.line, path: "\(interface.path).\(key)", content: .map(entries)))
    }

    /// With what the metadata says, which comes before libvirt's own.
    private func element(_ own: [Element.Entry], _ keys: [LibvirtMetadata.Key]) -> Element {
        var entries = own
        for over in keys.map({ $0.entry("metadata \(interface.path)") }) {
            guard let place = own.firstIndex(where: { $0.key == over.key }) else {
                entries.append(over)
                continue
            }
            if case .map(let new) = over.value.content, case .map(let old) = entries[place].value.content, ["inbound", "outbound", "pace"].contains(over.key) {
                entries[place].value.content = .map(old.filter { entry in !new.contains { $0.key == entry.key } } + new)
            } else {
                entries[place] = over
            }
        }
        return Element(line: interface.line, path: interface.path, content: .map(entries))
    }
}
