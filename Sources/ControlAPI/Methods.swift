import Configuration

/// The methods of the control socket, except those for single changes, which are `Verb`s. Each lists its parameters and its result.
public enum Method: String, CaseIterable, Sendable {
    /// `NoParams` -> `VersionReply`
    case version
    /// `NoParams` -> `StatusReply`
    case status
    /// `NoParams` -> `ConfigReply`
    case configGet = "config.get"
    /// `ApplyParams` -> `ChangeReply`
    case configApply = "config.apply"
    /// `DiffParams` -> `ChangeReply`
    case configDiff = "config.diff"
    /// `PartParams` -> `ChangeReply`; adds a part, or replaces the one of its name.
    case partSet = "part.set"
    /// `PartDeletion` -> `ChangeReply`
    case partDel = "part.del"
    /// `NameParams` -> `[PartStatus]`
    case partShow = "part.show"
    /// `EditParams` -> `ChangeReply`; makes any single change, given by the words of the command line.
    case edit
    /// `NameParams` -> `[PortStatus]`
    case portShow = "port.show"
    /// `NameParams` -> `ChangeReply`; the name is required.
    case portReset = "port.reset"
    /// `NameParams` -> `QEMUReply`; the name is required.
    case portQEMU = "port.qemu"
    /// `NameParams` -> `[BridgeStatus]`
    case bridgeShow = "bridge.show"
    /// `NameParams` -> `[GroupStatus]`
    case groupShow = "group.show"
    /// `NameParams` -> `[GuestStatus]`
    case guestShow = "guest.show"
    /// `FDBParams` -> `[FDBEntry]`
    case fdbShow = "fdb.show"
    /// `FDBParams` -> `MDBReply`
    case mdbShow = "mdb.show"
    /// `NameParams` -> `[LLDPStatus]`; the name is a physical port's.
    case lldpShow = "lldp.show"
    /// `NameParams` -> `[DCBStatus]`; the name is a physical port's.
    case dcbShow = "dcb.show"
    /// `FDBParams` -> `FlushReply`; forgets learned addresses.
    case fdbFlush = "fdb.flush"
    /// `ClassParams` -> `[ClassStatus]`
    case classShow = "class.show"
    /// `NameParams` -> `[ProtocolStatus]`
    case protocolShow = "protocol.show"
    /// `NameParams` -> `[FilterStatus]`
    case filterShow = "filter.show"
    /// `NameParams` -> `[MirrorStatus]`
    case mirrorShow = "mirror.show"
    /// `CoreParams` -> `[CoreStatus]`
    case coreShow = "core.show"
    /// `BalanceParams` -> `[MoveStatus]`
    case coreBalance = "core.balance"
    /// `NoParams` -> `StatsReply`
    case statsShow = "stats.show"
}

extension Method {
    /// The names of all methods, those of `Verb` included.
    public static var names: [String] { allCases.map(\.rawValue) + Verb.all.map(\.name) }
}

/// The parameters of a method that takes none.
public struct NoParams: Codable, Sendable {
    public init() {}
}

/// The parameters of a method about one object, or about all of a kind.
public struct NameParams: Codable, Sendable {
    /// The object's name; nil: all objects.
    public var name: String?
    public init(name: String? = nil) { self.name = name }
}

/// Which addresses or groups a method is about: those on a bridge, on a port, and in a VLAN; nil: any.
public struct FDBParams: Codable, Sendable {
    public var bridge: String?
    public var port: String?
    public var vlan: Int?
    public init(bridge: String? = nil, port: String? = nil, vlan: Int? = nil) { self.bridge = bridge; self.port = port; self.vlan = vlan }
}

/// The parameters of `core.show`.
public struct CoreParams: Codable, Sendable {
    /// If true, the cycles that each stage of a turn takes are measured, from now on for three seconds.
    public var stages: Bool?
    /// If true, the reply lists each core's latest stalls as well.
    public var stalls: Bool?
    public init(stages: Bool? = nil, stalls: Bool? = nil) { self.stages = stages; self.stalls = stalls }
}

/// The parameters of `class.show`.
public struct ClassParams: Codable, Sendable {
    /// The name of a bridge or a physical port; nil: all trees.
    public var tree: String?
    /// A class with all classes below it, given by its path or the end of its path, such as `vm1` or `vm1/iscsi`; nil: all classes.
    public var path: String?
    public init(tree: String? = nil, path: String? = nil) { self.tree = tree; self.path = path }
}

/// The parameters of `config.apply`: the whole configuration in YAML.
public struct ApplyParams: Codable, Sendable {
    public var yaml: String
    /// If true, the reply says what would change, or the error why that is not possible, and nothing is changed.
    public var dryRun: Bool?
    public init(yaml: String, dryRun: Bool = false) { self.yaml = yaml; self.dryRun = dryRun }
}

/// The parameters of `core.balance`.
public struct BalanceParams: Codable, Sendable {
    /// If true, the reply says which queues would move, but none is moved.
    public var dryRun: Bool?
    public init(dryRun: Bool = false) { self.dryRun = dryRun }
}

/// The parameters of `config.diff`: the configuration, in YAML, that the running one is compared with.
public struct DiffParams: Codable, Sendable {
    public var yaml: String
    public init(yaml: String) { self.yaml = yaml }
}

/// One change, in the words of the command line.
public struct EditParams: Codable, Sendable {
    /// The kind of object: `port`, `bridge`, `group`, `guest`, `class`, `protocol`, `filter`, `mirror`, `fdb` or `core`.
    public var object: String
    /// `add`, `set` or `del`.
    public var verb: String
    /// The words behind the verb, such as `["vm1", "type", "vhost", ...]`.
    public var words: [String]
    public init(object: String, verb: String, words: [String]) { self.object = object; self.verb = verb; self.words = words }
}

/// The words of the command line, as the parameters of a `Verb`.
public struct WordsParams: Codable, Sendable {
    public var words: [String]
    public init(_ words: [String]) { self.words = words }
}

/// What a change has done, or would do.
public struct ChangeReply: Codable, Equatable, Sendable {
    /// The changes, one on each line, as `Plan.lines` gives them; empty: there was nothing to do.
    public var changes: [String]
    /// Whether the changes were made. If false, this was a dry run or a diff, and nothing has changed.
    public var applied: Bool
    /// In the reply to a diff, a sentence for each part, which says what the part owns and that the file does not change it; nil if there are no parts.
    public var kept: [String]?
    public init(changes: [String], applied: Bool, kept: [String] = []) {
        self.changes = changes
        self.applied = applied
        self.kept = kept.isEmpty ? nil : kept
    }
}

/// The parameters of `part.set`.
public struct PartParams: Codable, Sendable {
    public var name: String
    /// Ports and guests, as in a configuration file.
    public var yaml: String
    /// If true, the reply says what would change, or the error why that is not possible, and nothing is changed.
    public var dryRun: Bool?
    public init(name: String, yaml: String, dryRun: Bool = false) { self.name = name; self.yaml = yaml; self.dryRun = dryRun }
}

/// The parameters of `part.del`.
public struct PartDeletion: Codable, Sendable {
    public var name: String
    /// If true, it is not an error if there is no such part.
    public var ifThere: Bool?
    public init(name: String, ifThere: Bool = false) { self.name = name; self.ifThere = ifThere }
}

/// A part of the configuration: ports and guests that the operator does not own, but, for example, a hook.
public struct PartStatus: Codable, Equatable, Sendable {
    public var name: String
    /// The text that the part was set to. Commands may have changed its ports and guests since.
    public var yaml: String
    public var ports: [String]
    public var guests: [String]
    /// The time in seconds since the part was set.
    public var ageSeconds: UInt64
    /// A sentence that says why the text is not in use although it is kept; nil if it is in use.
    public var problem: String?
    public init(name: String, yaml: String, ports: [String], guests: [String], ageSeconds: UInt64, problem: String? = nil) {
        self.name = name
        self.yaml = yaml
        self.ports = ports
        self.guests = guests
        self.ageSeconds = ageSeconds
        self.problem = problem
    }
}

/// The running configuration.
public struct ConfigReply: Codable, Equatable, Sendable {
    /// The operator's own configuration, which can be applied again, followed by the ports and guests of the parts as comments.
    public var yaml: String
    /// The operator's own configuration as JSON.
    public var json: JSONValue
    public init(yaml: String, json: JSONValue) { self.yaml = yaml; self.json = json }
}

/// The versions of the daemon and of DPDK.
public struct VersionReply: Codable, Equatable, Sendable {
    public var version: String
    /// The version that DPDK reports, such as `DPDK 22.11.11`.
    public var dpdk: String
    public init(version: String, dpdk: String) { self.version = version; self.dpdk = dpdk }
}

/// How to connect a QEMU guest to a vhost port.
public struct QEMUReply: Codable, Equatable, Sendable {
    public var port: String
    /// Options and their values in turns, in the order in which QEMU takes them: `["-chardev", "socket,...", ...]`.
    public var arguments: [String]
    /// The same for libvirt: elements of a domain's XML.
    public var libvirt: String
    public init(port: String, arguments: [String], libvirt: String) {
        self.port = port
        self.arguments = arguments
        self.libvirt = libvirt
    }
}

extension RPCError {
    /// The error for a configuration or change that was refused.
    public init(_ error: ConfigurationError) {
        self.init(
            Self.refused, error.description,
            data: error.problems.map { ProblemReport(line: $0.line, path: $0.path, sentence: $0.sentence) })
    }
}
