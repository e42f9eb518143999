import Configuration
import Packet

/// What a libvirt domain becomes in Sluice: for each of its interfaces of type vhostuser a port and a guest of the same name.
public struct LibvirtConfiguration: Equatable, Sendable {
    public var domain: String
    public var uuid: String?
    /// A model with these ports and guests only. Its `yaml` is the file of the domain's part; `Model.replacing` puts it into a whole model.
    public var part: Model
    /// The domain's interfaces of other types, which Sluice does not touch.
    public var others: [LibvirtDomain.OtherInterface]
    /// What Sluice does otherwise than the XML says. None of it keeps the domain from running.
    public var notes: [Problem] = []

    /// - Parameters:
    ///   - networks: the networks that the interfaces name.
    ///   - model: the model that the domain will be part of. Only its bridges are used.
    ///   - bridge: the bridge of interfaces that name none. If it is nil and there is exactly one bridge, they get that one.
    /// - Throws: everything that is wrong, by interface. This does not check whether the result fits the rest of `model`, which `Model.replacing` does.
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
    /// Returns this model as it is after a domain was started, changed or stopped.
    /// - Parameters:
    ///   - old: what the domain had; if nil, the ports and guests that have the names of the new ones are replaced.
    ///   - new: what the domain has; nil if it was stopped.
    /// - Throws: everything that is wrong with the resulting model.
    public func replacing(_ old: LibvirtConfiguration?, with new: LibvirtConfiguration?) throws(ConfigurationError) -> Model {
        try replacing(old?.part ?? new?.part ?? Model(), with: new?.part ?? Model())
    }
}

/// The port and the guest of one interface while they are put together.
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

    /// The name of an interface's port and guest: the interface's `<target dev>` if Sluice accepts that as a name, otherwise the domain's name with the end of
    /// the MAC address. It does not depend on other interfaces, so that it stays the same when they come and go, and on a host that the domain migrates to.
    private static func name(of interface: LibvirtInterface, in domain: String) -> String {
        // libvirt generates names with these prefixes at each start and removes them when the domain stops (util/virnetdev.h), so they are not kept.
        if let target = interface.target, !["vnet", "macvtap", "macvlan"].contains(where: { target.hasPrefix($0) }), isName(target) { return target }
        let octets = interface.mac.description.split(separator: ":").joined()
        let letters = domain.utf8.map { Validator.isOfNames($0) ? $0 : UInt8(ascii: "_") }
        // All addresses that libvirt generates begin with 52:54:00 (util/virmacaddr.c), so the rest is enough. But if the domain's name had to be shortened or
        // changed, another domain's may look the same, and only the whole address is unique.
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

    /// Chooses the bridge: the one in Sluice's metadata, or else the network's if Sluice has it, or else `standard`, or else the only one that there is.
    /// - Parameter bridges: the names of all bridges of Sluice.
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
        // The XML says which side of the socket QEMU takes; Sluice takes the other one.
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
        // The metadata may add further addresses to the interface's own one.
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

    /// A port or a guest as a configuration element. Keys in the metadata replace those from libvirt's XML; in classes and paces each inner key does so alone.
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
