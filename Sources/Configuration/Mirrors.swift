import Filters
import Packet

/// A mirror: it copies the frames of a port, a guest or a class.
public struct MirrorSettings: Equatable, Sendable {
    public var name: String
    public var source: MirrorSource
    public var direction = MirrorDirection.both
    /// An expression as pcap-filter(7) describes; nil: every frame is copied.
    public var filter: String?
    /// The number of bytes copied of each frame; nil: all of them.
    public var truncate: Int?
    /// The highest rate of the copies; nil: no limit.
    public var rate: StormRate?
    public var target: MirrorTarget

    public init(name: String, source: MirrorSource, target: MirrorTarget) { (self.name, self.source, self.target) = (name, source, target) }
}

/// The port, guest or class whose frames a mirror copies, by name.
public enum MirrorSource: Equatable, Sendable {
    case port(String)
    case guest(String)
    /// The path of a class, or the end of its path.
    case `class`(String)
}

/// The direction of the frames that a mirror copies.
public enum MirrorDirection: String, Equatable, Sendable, CaseIterable {
    /// For mirrors of a port: frames that come in by it, or frames that leave by it.
    case `in`, out
    /// For mirrors of a guest or a class: frames towards the guest, or frames from it.
    case inbound, outbound
    case both
}

/// Where a mirror sends its copies.
public enum MirrorTarget: Equatable, Sendable {
    case port(String)
    /// GRE with whole Ethernet frames inside (RFC 2784, RFC 7676).
    case gre(MirrorTunnel)
    /// ERSPAN, type II.
    case erspan(MirrorTunnel, session: Int)

    /// The port by which copies leave.
    public var port: String {
        switch self {
        case .port(let name): name
        case .gre(let tunnel), .erspan(let tunnel, _): tunnel.via
        }
    }

    /// The key under which that port is written.
    var key: String {
        switch self {
        case .port: "to"
        case .gre: "gre.via"
        case .erspan: "erspan.via"
        }
    }

    public var tunnel: MirrorTunnel? {
        switch self {
        case .port: nil
        case .gre(let tunnel), .erspan(let tunnel, _): tunnel
        }
    }
}

/// The tunnel in whose IP packets copies are sent.
public struct MirrorTunnel: Equatable, Sendable {
    /// Addresses of both ends, of one address family.
    public var remote: IPPrefix
    public var local: IPPrefix
    /// The name of the port by which the packets leave.
    public var via: String
    /// The MAC address of the next hop on the way to `remote`.
    public var mac: MACAddress
    public var sourceMAC: MACAddress?
    /// The VLAN tag of the packets; nil: they have none.
    public var vlan: Int?

    public init(remote: IPPrefix, local: IPPrefix, via: String, mac: MACAddress) {
        (self.remote, self.local, self.via, self.mac) = (remote, local, via, mac)
    }

    /// The source MAC address of the packets: `sourceMAC`, or one made of the local IP address that is locally administered and thus belongs to no vendor (IEEE
    /// 802, 8.4.2).
    public var source: MACAddress { sourceMAC ?? MACAddress(value: local.bytes.suffix(4).reduce(0x0253) { $0 << 8 | UInt64($1) }) }
}

/// A mirror as its keys are written: flat, and possibly incomplete.
struct MirrorDraft {
    var name = ""
    var port: String?
    var guest: String?
    var `class`: String?
    var direction = MirrorDirection.both
    var filter: String?
    var truncate: Int?
    var rate: StormRate?
    var to: String?
    var gre: Tunnel?
    var erspan: Tunnel?

    struct Tunnel {
        var remote: IPPrefix?
        var local: IPPrefix?
        var via: String?
        var mac: MACAddress?
        var sourceMAC: MACAddress?
        var vlan: Int?
        var session: Int?
    }

    init() {}

    init(_ mirror: MirrorSettings) {
        (name, direction, filter, truncate, rate) = (mirror.name, mirror.direction, mirror.filter, mirror.truncate, mirror.rate)
        switch mirror.source {
        case .port(let name): port = name
        case .guest(let name): guest = name
        case .class(let path): self.class = path
        }
        switch mirror.target {
        case .port(let name): to = name
        case .gre(let tunnel): gre = Tunnel(tunnel)
        case .erspan(let tunnel, let session): erspan = Tunnel(tunnel, session: session)
        }
    }

    /// The mirror that the keys describe; nil if something is missing or does not go together, which is added to `problems`.
    func mirror(at element: Element, _ problems: inout ProblemList) -> MirrorSettings? {
        let before = problems.count
        let sources = [port.map(MirrorSource.port), guest.map(MirrorSource.guest), self.class.map(MirrorSource.class)].compactMap { $0 }
        let targets = [to.map(MirrorTarget.port), gre?.tunnel("gre", element, &problems).map(MirrorTarget.gre), erspan.flatMap { erspan in
            erspan.tunnel("erspan", element, &problems).map { .erspan($0, session: erspan.session ?? 1) }
        }].compactMap { $0 }
        if problems.count != before { return nil }
        guard let source = sources.first, sources.count == 1 else {
            problems.add(element, "a mirror copies the frames of one port, guest or class: write port vm1, guest vm1 or class vm1/iscsi\(sources.isEmpty ? "" : ", one of them")")
            return nil
        }
        guard let target = targets.first, targets.count == 1 else {
            let example = "to: mon0, or erspan or gre with remote, local, via and mac"
            problems.add(element, targets.isEmpty ? "a mirror needs a place for its copies: write \(example)" : "a mirror's copies go to one place: write one of to, gre and erspan")
            return nil
        }
        var mirror = MirrorSettings(name: name, source: source, target: target)
        (mirror.direction, mirror.filter, mirror.truncate, mirror.rate) = (direction, filter, truncate, rate)
        return mirror
    }
}

extension MirrorDraft.Tunnel {
    init(_ tunnel: MirrorTunnel, session: Int? = nil) {
        (remote, local, via, mac, sourceMAC, vlan) = (tunnel.remote, tunnel.local, tunnel.via, tunnel.mac, tunnel.sourceMAC, tunnel.vlan)
        self.session = session
    }

    func tunnel(_ key: String, _ element: Element, _ problems: inout ProblemList) -> MirrorTunnel? {
        guard let remote, let local, let via, let mac else {
            let missing = [("remote", remote == nil), ("local", local == nil), ("via", via == nil), ("mac", mac == nil)].filter(\.1).map(\.0)
            // A key that was written but could not be read has been reported already.
            if !problems.problems.contains(where: { $0.path.hasPrefix("\(element.path).\(key)") }) {
                problems.add(element, """
                    \(key) needs \(missing.joined(separator: ", ")): write the addresses of both ends (remote, local), the port that copies leave by (via), and the MAC \
                    address of who is next on the way (mac)
                    """)
            }
            return nil
        }
        if session != nil, key == "gre" {
            problems.add(element, "'session' belongs to erspan, not to gre: leave it out")
            return nil
        }
        var tunnel = MirrorTunnel(remote: remote, local: local, via: via, mac: mac)
        (tunnel.sourceMAC, tunnel.vlan) = (sourceMAC, vlan)
        return tunnel
    }

    static var fields: [Field<Self>] {
        [
            .optional("remote", \.remote, .address, help: "the far end's address").lasting.required,
            .optional("local", \.local, .address, help: "this end's address").lasting.required,
            .text("via", \.via, example: "a port's name", form: .name, help: "the port that packets leave by").required,
            .optional("mac", \.mac, .mac, help: "of who is next on the way").required,
            .optional("source-mac", \.sourceMAC, .mac, help: "packets' own address; by default one made of local"),
            .optional("vlan", \.vlan, .vlan, help: "of packets' tag; by default they have none"),
            .optional("session", \.session, .integer(0...1_023), standard: 1, help: "ERSPAN's session"),
        ]
    }
}

extension ValueKind<IPPrefix> {
    /// The address of a host, without a prefix length.
    static var address: Self {
        func sentence(_ text: String) -> String { "'\(text)' is no IPv4 or IPv6 address: write 192.0.2.9 or 2001:db8::9" }
        return ValueKind(
            takes: .text(.address),
            read: { element, problems in
                guard let text = problems.text(element, example: "an address such as 192.0.2.9") else { return nil }
                guard let value = IPPrefix(text), !text.contains("/") else {
                    problems.add(element, sentence(text))
                    return nil
                }
                return value
            },
            write: { .text($0.description) }, fault: { $0.length == 8 * $0.bytes.count ? nil : sentence($0.description) })
    }
}

extension Field<MirrorDraft> {
    static var mirror: [Field] {
        let all = MirrorDraft.Tunnel.fields
        func tunnel(_ key: String, _ path: WritableKeyPath<MirrorDraft, MirrorDraft.Tunnel?>, _ described: [Field<MirrorDraft.Tunnel>], _ help: String) -> Field {
            Field(
                key: key, takes: .map(described.map(\.about)), help: help, unset: { $0[keyPath: path] = nil },
                read: { mirror, element, problems in
                    var draft = mirror[keyPath: path] ?? MirrorDraft.Tunnel()
                    problems.read(element, into: &draft, all, of: key)
                    mirror[keyPath: path] = draft
                },
                write: { $0[keyPath: path].map { Fields.write($0, all) } },
                check: { mirror, at, problems in
                    guard let draft = mirror[keyPath: path] else { return }
                    for field in all { field.check?(draft, { "\(at()).\(key)" }, &problems) }
                })
        }
        return [
            .name(\.name),
            .text("port", \.port, example: "a port's name", form: .name, help: "whose frames are copied").one(of: "sources"),
            .text("guest", \.guest, example: "a guest's name", form: .name, help: "whose frames are copied").one(of: "sources"),
            .text("class", \.class, example: "a class such as vm1/iscsi", form: .class, help: "whose frames are copied").one(of: "sources"),
            .choice("direction", \.direction, standard: .both, help: "in or out of a port, inbound or outbound of a guest or class"),
            .text("filter", \.filter, example: "tcp port 80", form: .expression, help: "which frames, as pcap-filter(7) describes; by default all"),
            .optionalInteger("truncate", \.truncate, MirrorSettings.lengths, help: "bytes of each frame that are copied; by default all"),
            .packetsOrBits("rate", \.rate, help: "what copies may take"),
            .text("to", \.to, example: "a port's name", form: .name, help: "the port that copies leave by").one(of: "targets"),
            // `session` is left out here, as `tunnel(_:_:_:)` of the draft refuses it under gre with a sentence of its own.
            tunnel("gre", \.gre, all.filter { $0.key != "session" }, "copies leave inside GRE packets").one(of: "targets"),
            tunnel("erspan", \.erspan, all, "copies leave inside ERSPAN packets, type II").one(of: "targets"),
        ]
    }
}

extension MirrorSettings {
    /// To how many bytes copies may be cut; at least the Ethernet header stays.
    static let lengths = 14...65_535

    /// The mirror's source, target and settings, but not its name, in the words that set them.
    public var words: [(key: String, value: String)] {
        let draft = MirrorDraft(self)
        return Fields.all.mirror.compactMap { field in field.key == "name" ? nil : field.write(draft).map { (field.key, $0.words) } }
    }
}

extension Editor {
    /// Carries out a command such as `mirror add m1 port vm1 to mon0`. With `set`, another source or target replaces the old one.
    mutating func mirror(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let example = "mirror \(verb.rawValue) m1" + (verb == .del ? "" : " port vm1 to mon0")
        let (name, rest) = try name(words, "mirror", example: example)
        var draft = MirrorDraft()
        draft.name = name
        var place: Int?
        if verb == .add {
            try refuse(existing: name, in: model.mirrors, \.name, "mirror")
        } else {
            let index = try index(of: name, in: model.mirrors, \.name, "mirror")
            place = index
            draft = MirrorDraft(model.mirrors[index])
        }
        if verb == .del {
            try refuseMore(rest)
            model.mirrors.remove(at: place!)
            return
        }
        // A source or target that is written replaces the old one, even if the old one was written with another key.
        let groups = fields.mirror.filter { rest.contains($0.key) }.compactMap(\.about.group)
        for field in fields.mirror where field.about.group.map(groups.contains) ?? false && !rest.contains(field.key) { field.unset?(&draft) }
        try read(rest, into: &draft, fields.mirror, "mirror \(name)", of: "a mirror")
        var problems = ProblemList()
        guard let mirror = draft.mirror(at: Element(path: "mirror \(name)", content: .empty), &problems) else { throw problems.error() }
        if let place { model.mirrors[place] = mirror } else { model.mirrors.append(mirror) }
    }

    /// The mirrors that fulfil a condition, such as naming a port or a guest, as words for a message.
    func mirrors(where isNamed: (MirrorSettings) -> Bool) -> [String] { model.mirrors.filter(isNamed).map { "mirror \($0.name)" } }
}
