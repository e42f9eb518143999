import Filters
import Packet

/// What a port's LLDP agent does (IEEE 802.1AB, adminStatus).
public enum LLDPMode: String, Equatable, Sendable, CaseIterable {
    case off
    /// It listens to neighbours, and tells nothing.
    case rx
    /// It tells neighbours about this switch, and does not listen.
    case tx
    case on
}

/// What a physical port negotiates with the switch at the other end (DCBX, IEEE 802.1Q clause 38). Features that are nil are neither told nor taken over. The
/// keys are those of iproute2's dcb(8).
public struct DCBSettings: Equatable, Sendable, Initializable {
    public var ets: ETSSettings?
    public var pfc: PFCSettings?
    public var app: AppSettings?
    /// How much of lossless priorities may wait; nil: it follows from the link's speed.
    public var buffer: BufferSettings?
    /// Whether PAUSE of IEEE 802.3 is followed and sent, where no priorities may be paused.
    public var pausesLink = false
    /// What stands for features that are not written.
    public var template = DCBTemplate.none

    public init() {}
}

/// How a link is shared among traffic classes.
public struct ETSSettings: Equatable, Sendable {
    /// Whether the peer's recommendation is taken over.
    public var willing = false
    public var sharing = ETSSharing()
    /// What the peer is told to do; nil: nothing is recommended.
    public var recommended: ETSSharing?
    /// Whether the floors in a traffic class may sum to more than its percentage.
    public var exceedingFloors = false

    public init() {}
}

/// Traffic classes and their shares (dcb-ets(8)). Each list has up to eight items; those that are missing are `strict` or 0.
public struct ETSSharing: Equatable, Sendable {
    public var algorithms: [TransmissionSelection] = []
    /// Percentages, of traffic classes.
    public var bandwidths: [Int] = []
    /// The traffic class of each priority.
    public var classes: [Int] = []

    public init() {}

    /// Whether no list is too long, and the percentages of the classes that share add up to 100 while those of the others are 0.
    var isSound: Bool {
        guard algorithms.count <= 8, bandwidths.count <= 8, classes.count <= 8 else { return false }
        var shared = 0
        for (place, percent) in bandwidths.enumerated() {
            if algorithms.count > place, algorithms[place] == .ets { shared += percent } else if percent != 0 { return false }
        }
        return shared == (algorithms.contains(.ets) ? 100 : 0)
    }
}

/// How a traffic class is chosen (IEEE 802.1Q, table 8-5).
public enum TransmissionSelection: String, Equatable, Sendable, CaseIterable {
    case strict, ets
}

/// For which priorities the peer may be told to pause, and may tell so (dcb-pfc(8)).
public struct PFCSettings: Equatable, Sendable {
    /// Whether the peer's priorities are taken over.
    public var willing = false
    public var priorities: [Int] = []

    public init() {}
}

/// Which priorities protocols have on the port (dcb-app(8)).
public struct AppSettings: Equatable, Sendable {
    /// Whether the peer's priorities are used for protocols that none is written for here.
    public var willing = false
    /// The priority of frames of no known protocol.
    public var standard: Int?
    public var etherTypes: [AppPriority] = []
    /// Ports of TCP and SCTP, of UDP and DCCP, and of any of these.
    public var streamPorts: [AppPriority] = []
    public var datagramPorts: [AppPriority] = []
    public var ports: [AppPriority] = []
    public var dscps: [AppPriority] = []

    public init() {}
}

/// A protocol, by the number that it is known by, and its priority.
public struct AppPriority: Equatable, Sendable {
    public var identifier: Int
    /// 0 to 7.
    public var priority: Int

    public init(_ identifier: Int, priority: Int) {
        self.identifier = identifier
        self.priority = priority
    }
}

extension AppSettings {
    /// The priority that is written for what a row of the protocol table matches; nil: none. The first match with an entry decides.
    func priority(of matches: [ProtocolMatch]) -> Int? {
        func entry(_ lists: [[AppPriority]], _ range: ClosedRange<UInt16>) -> Int? {
            for list in lists { if let found = list.first(where: { UInt16(exactly: $0.identifier).map(range.contains) ?? false }) { return found.priority } }
            return nil
        }
        for match in matches {
            let found: Int? =
                switch match {
                case .etherType(let type): entry([etherTypes], type...type)
                case .tcp(let port): entry([streamPorts, ports], port...port)
                case .udp(let port): entry([datagramPorts, ports], port...port)
                case .tcpRange(let range): entry([streamPorts, ports], range)
                case .udpRange(let range): entry([datagramPorts, ports], range)
                case .dscp(let dscp): entry([dscps], UInt16(dscp)...UInt16(dscp))
                case .pcp: nil
                }
            if let found { return found }
        }
        return nil
    }
}

extension PortSettings {
    /// Whether what leaves by the port is scheduled or paused by priority. Then each guest has a leaf for each protocol, as all frames of a leaf have the same
    /// priority.
    public var isByPriority: Bool { options.dcb && (dcbInUse.ets != nil || dcbInUse.pfc != nil || dcbInUse.pausesLink) }
    /// Whether frames of some priorities must not be lost.
    var isLossless: Bool { options.dcb && dcbInUse.pfc != nil }
    /// What the port's LLDP agent does. By default it listens on physical ports alone.
    public var lldpInUse: LLDPMode { options.lldp ?? (isPhysical ? .rx : .off) }
    /// What is written under `dcb`, and what its template says beyond that.
    public var dcbInUse: DCBSettings { options.dcbx.withTemplate }
}

extension Field<PortDraft> {
    /// `on` and `off`, or a map of what is negotiated; then frames leave with priorities, too.
    static var dcb: Field {
        let fields = Field<DCBSettings>.features
        return Field(
            key: "dcb", takes: .either([.flag, .map(fields.map(\.about))]), standard: .flag(true),
            help: "frames leave with the priority of their protocol, in a tag; a map says what DCBX negotiates",
            unset: {
                $0.dcb = true
                $0.dcbx = DCBSettings()
            },
            read: { draft, element, problems in
                if case .map = element.content {
                    draft.dcb = true
                    problems.read(element, into: &draft.dcbx, fields, of: "dcb")
                } else if let flag = problems.flag(element) {
                    draft.dcb = flag
                    if !flag { draft.dcbx = DCBSettings() }
                }
            },
            write: { draft in
                if !draft.dcb { return .flag(false) }
                return draft.dcbx == DCBSettings() ? nil : Fields.write(draft.dcbx, fields)
            },
            check: { draft, path, problems in
                for field in fields { field.check?(draft.dcbx, { "\(path()).dcb" }, &problems) }
            }
        ).of(.physical)
    }

    static var discovery: [Field] {
        [
            .optional(
                "lldp", \.lldp, .choice, help: "whether LLDP tells neighbours about this switch (tx), listens to them (rx, the default of a NIC), or both"
            ).of(.physical, .tap),
            .list(
                "management-addresses", \.managementAddresses, of: .hostAddress, example: "[192.0.2.1, 2001:db8::1]",
                help: "addresses of this host that LLDP tells for its management"
            ).of(.physical, .tap),
        ]
    }
}

extension Field<DCBSettings> {
    fileprivate static var features: [Field] {
        [
            .map("ets", \.ets, ETSSettings.kind, help: "how traffic classes share the link (ETS)"),
            .map("pfc", \.pfc, PFCSettings.kind, help: "which priorities may be paused (PFC)"),
            .map("app", \.app, AppSettings.kind, help: "which priorities protocols have"),
            .map("buffer", \.buffer, BufferSettings.kind, help: "how much of lossless priorities may wait"),
            .choice("template", \.template, standard: .none, help: "what stands for ets, pfc and app where they are not written"),
            .flag("pause", \.pausesLink, standard: false, help: "PAUSE of IEEE 802.3 is followed and sent, where no priorities may be paused"),
        ]
    }
}

extension ETSSettings {
    fileprivate struct Draft {
        var willing = false
        var exceedingFloors = false
        var own = ETSSharing()
        var recommended = ETSSharing()
    }

    fileprivate static var kind: MapKind<ETSSettings, Draft> {
        func lists(_ prefix: String, _ path: WritableKeyPath<Draft, ETSSharing>, _ whose: String) -> [Field<Draft>] {
            [
                .list(
                    "\(prefix)tc-tsa", path.appending(path: \.algorithms), of: .choice, example: "[ets, ets, strict]",
                    help: "how each traffic class is chosen\(whose); by default strict"
                ).byNumber(path.appending(path: \.algorithms), .choice, rest: .strict),
                .list(
                    "\(prefix)tc-bw", path.appending(path: \.bandwidths), of: .integer(0...100), example: "[60, 40, 0]",
                    help: "percent of each traffic class that is ets\(whose)"
                ).byNumber(path.appending(path: \.bandwidths), .integer(0...100), rest: 0),
                .list(
                    "\(prefix)prio-tc", path.appending(path: \.classes), of: .integer(0...7), example: "[0, 0, 0, 1]",
                    help: "traffic class of each priority\(whose); by default 0"
                ).byNumber(path.appending(path: \.classes), .integer(0...7), rest: 0),
            ]
        }
        return MapKind(
            noun: "ets", empty: Draft(),
            fields: [.flag("willing", \.willing, standard: false, help: "the peer's recommendation is taken over")] + lists("", \.own, "")
                + lists("reco-", \.recommended, ", as recommended to the peer")
                + [.flag("exceeding-floors", \.exceedingFloors, standard: false, help: "floors in a traffic class may exceed its tc-bw")],
            value: { draft in
                guard draft.own.isSound, draft.recommended.isSound else { return nil }
                var settings = ETSSettings()
                (settings.willing, settings.sharing, settings.exceedingFloors) = (draft.willing, draft.own, draft.exceedingFloors)
                settings.recommended = draft.recommended == ETSSharing() ? nil : draft.recommended
                return settings
            },
            draft: { Draft(willing: $0.willing, exceedingFloors: $0.exceedingFloors, own: $0.sharing, recommended: $0.recommended ?? ETSSharing()) },
            missing: "there are eight traffic classes, and the tc-bw of those whose tc-tsa is ets add up to 100: write tc-tsa 0:ets 1:ets tc-bw 0:60 1:40"
                + " or, in a file, tc-tsa: [ets, ets] and tc-bw: [60, 40]")
    }
}

extension PFCSettings {
    fileprivate static var kind: MapKind<PFCSettings, PFCSettings> {
        MapKind(
            noun: "pfc", empty: PFCSettings(),
            fields: [
                .flag("willing", \.willing, standard: false, help: "the peer's priorities are taken over"),
                .list("prio-pfc", \.priorities, of: .priority, example: "[3]", help: "priorities that may be paused")
                    .byNumber(get: { object in (0..<8).map { object.priorities.contains($0) } }, .flag) { object, flags in
                        object.priorities = (0..<8).filter { flags[$0] }
                    },
            ],
            value: { Set($0.priorities).count == $0.priorities.count ? $0 : nil }, draft: { $0 },
            missing: "a priority stands twice in prio-pfc: write each once")
    }
}

extension AppSettings {
    fileprivate static var kind: MapKind<AppSettings, AppSettings> {
        MapKind(
            noun: "app", empty: AppSettings(),
            fields: [
                .flag("willing", \.willing, standard: false, help: "the peer's priorities are used, where none is written here"),
                .optional("default-prio", \.standard, .priority, help: "priority of other frames"),
                .list("ethtype-prio", \.etherTypes, of: .etherType, example: "[0x8906:3]", help: "priorities of EtherTypes"),
                .list("stream-port-prio", \.streamPorts, of: .port, example: "[3260:4]", help: "priorities of TCP and SCTP ports"),
                .list("dgram-port-prio", \.datagramPorts, of: .port, example: "[4791:3]", help: "priorities of UDP and DCCP ports"),
                .list("port-prio", \.ports, of: .port, example: "[3260:4]", help: "priorities of ports of any of these"),
                .list("dscp-prio", \.dscps, of: .dscp, example: "[26:3]", help: "priorities of DSCPs"),
            ],
            value: { settings in
                let lists = [settings.etherTypes, settings.streamPorts, settings.datagramPorts, settings.ports, settings.dscps]
                return lists.allSatisfy { list in Set(list.map(\.identifier)).count == list.count } && lists.map(\.count).reduce(0, +) < 168 ? settings : nil
            },
            draft: { $0 }, missing: "a protocol stands twice in a list of app, or there are more than 167: write each once")
    }
}

extension ValueKind<AppPriority> {
    fileprivate static var etherType: Self { entry("an EtherType", 1_536...65_535, "0x8906:3", isHexadecimal: true) }
    fileprivate static var port: Self { entry("a port", 1...65_535, "3260:4") }
    static var dscp: Self { entry("a DSCP", 0...63, "26:3") }

    private static func entry(_ noun: String, _ range: ClosedRange<Int>, _ example: String, isHexadecimal: Bool = false) -> Self {
        func sentence(_ text: String) -> String {
            "'\(text)' is not \(noun) from \(range.lowerBound) to \(range.upperBound) with a priority from 0 to 7 behind it: write \(example)"
        }
        func text(_ entry: AppPriority) -> String {
            (isHexadecimal ? "0x" + String(entry.identifier, radix: 16) : "\(entry.identifier)") + ":\(entry.priority)"
        }
        func isSound(_ entry: AppPriority) -> Bool { range.contains(entry.identifier) && 0...7 ~= entry.priority }
        return ValueKind(
            takes: .text(.appPriority(example)),
            read: { element, problems in
                guard let text = problems.text(element, example: example) else { return nil }
                let parts = text.split(separator: ":", omittingEmptySubsequences: false)
                let number = parts.first.flatMap { $0.lowercased().hasPrefix("0x") ? Int($0.dropFirst(2), radix: 16) : Int($0) }
                guard parts.count == 2, let number, let priority = Int(parts[1]), isSound(AppPriority(number, priority: priority)) else {
                    problems.add(element, sentence(text))
                    return nil
                }
                return AppPriority(number, priority: priority)
            },
            write: { .text(text($0)) }, fault: { isSound($0) ? nil : sentence(text($0)) })
    }
}

extension TextForm {
    fileprivate static func appPriority(_ example: String) -> TextForm {
        TextForm(word: "ID:PRIO", pattern: "^(0[xX][0-9A-Fa-f]{1,4}|[0-9]{1,5}):[0-7]$", example: example, mayBeNumber: false)
    }
}

extension ValueKind<IPPrefix> {
    /// The address of a host.
    fileprivate static var hostAddress: Self { .host("address", example: "192.0.2.1 or 2001:db8::1", .address) { $0.length == ($0.isIPv4 ? 32 : 128) } }
}
