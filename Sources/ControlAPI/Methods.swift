import Configuration

/// A method of the control socket with its types. The daemon and `sluice` share this declaration, which stands beside its parameters or its reply; the daemon
/// has one row more for it, in `Engine.methods`. Single changes are not among these: they are `Verb`s.
public struct Method<Params: Codable & Sendable, Reply: Codable & Sendable>: Sendable {
    /// The name on the socket, such as `port.show`.
    public let name: String
    public let effect: MethodEffect

    /// A method that does not say what it does is taken for one that changes something, so that nobody may call it by an oversight.
    init(_ name: String, _ effect: MethodEffect = .changes) {
        self.name = name
        self.effect = effect
    }
}

/// What a method does to what runs.
public enum MethodEffect: Sendable {
    /// The method only reports.
    case shows
    /// The method changes the configuration, or how the daemon works.
    case changes
}

/// All methods of the control socket that are not `Verb`s.
public enum Methods {
    public static let version = Method<NoParams, VersionReply>("version", .shows)
    public static let status = Method<NoParams, StatusReply>("status", .shows)
    public static let statsShow = Method<NoParams, StatsReply>("stats.show", .shows)
    public static let configGet = Method<NoParams, ConfigReply>("config.get", .shows)
    public static let configApply = Method<ApplyParams, ChangeReply>("config.apply", .changes)
    public static let configDiff = Method<DiffParams, ChangeReply>("config.diff", .shows)
    /// What single changes have made of the daemon's configuration file.
    public static let configDrift = Method<NoParams, ChangeReply>("config.drift", .shows)
    /// Writes the operator's running configuration into that file.
    public static let configSave = Method<SaveParams, ChangeReply>("config.save", .changes)
    /// The configurations that ran before, the oldest first.
    public static let configHistory = Method<NoParams, [RevisionStatus]>("config.history", .shows)
    public static let configRevision = Method<RevisionParams, RevisionReply>("config.revision", .shows)
    public static let configRollback = Method<RollbackParams, ChangeReply>("config.rollback", .changes)
    /// Keeps a configuration that would otherwise be undone.
    public static let configConfirm = Method<ConfirmParams, ChangeReply>("config.confirm", .changes)
    /// Adds a part, or replaces the one of its name.
    public static let partSet = Method<PartParams, ChangeReply>("part.set", .changes)
    public static let partDel = Method<PartDeletion, ChangeReply>("part.del", .changes)
    public static let partShow = Method<NameParams, [PartStatus]>("part.show", .shows)
    /// Makes any single change, given by the words of the command line.
    public static let edit = Method<EditParams, ChangeReply>("edit", .changes)
    public static let portShow = Method<NameParams, [PortStatus]>("port.show", .shows)
    /// Opens a port again; the name is required.
    public static let portReset = Method<NameParams, ChangeReply>("port.reset", .changes)
    /// How to connect a QEMU guest to a port; the name is required.
    public static let portQEMU = Method<NameParams, QEMUReply>("port.qemu", .shows)
    public static let bridgeShow = Method<NameParams, [BridgeStatus]>("bridge.show", .shows)
    public static let groupShow = Method<NameParams, [GroupStatus]>("group.show", .shows)
    public static let guestShow = Method<NameParams, [GuestStatus]>("guest.show", .shows)
    public static let fdbShow = Method<FDBParams, [FDBEntry]>("fdb.show", .shows)
    /// Forgets learned addresses.
    public static let fdbFlush = Method<FDBParams, FlushReply>("fdb.flush", .changes)
    public static let classShow = Method<ClassParams, [ClassStatus]>("class.show", .shows)
    public static let protocolShow = Method<NameParams, [ProtocolStatus]>("protocol.show", .shows)
    public static let filterShow = Method<NameParams, [FilterStatus]>("filter.show", .shows)
    public static let coreShow = Method<CoreParams, [CoreStatus]>("core.show", .shows)
    public static let coreBalance = Method<BalanceParams, [MoveStatus]>("core.balance", .changes)
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
    /// If given, the configuration is undone after so many seconds, 1 to 86400, unless `config.confirm` comes before.
    public var confirm: UInt64?
    public init(yaml: String, dryRun: Bool = false, confirm: UInt64? = nil) { self.yaml = yaml; self.dryRun = dryRun; self.confirm = confirm }
}

/// The parameters of `config.revision`.
public struct RevisionParams: Codable, Sendable {
    /// The revision's number.
    public var revision: Int
    public init(revision: Int) { self.revision = revision }
}

/// The parameters of `config.rollback`.
public struct RollbackParams: Codable, Sendable {
    /// The number of the revision that is to run.
    public var revision: Int
    /// As at `ApplyParams`.
    public var dryRun: Bool?
    public var confirm: UInt64?
    public init(revision: Int, dryRun: Bool = false, confirm: UInt64? = nil) { self.revision = revision; self.dryRun = dryRun; self.confirm = confirm }
}

/// The parameters of `config.confirm`.
public struct ConfirmParams: Codable, Sendable {
    /// If true, the configuration that waits to be confirmed is undone at once.
    public var undo: Bool?
    public init(undo: Bool = false) { self.undo = undo }
}

/// A configuration that ran before.
public struct RevisionStatus: Codable, Equatable, Sendable {
    public var number: Int
    /// When it was applied or saved, in seconds since 1970.
    public var time: Double
    /// What was done with it, such as `apply`, `reload`, `save` or `rollback to 3`.
    public var how: String
    /// Who did that, as `Peer.description`; nil: the daemon itself.
    public var who: String?
    /// In how many things it differed from what ran before.
    public var changes: Int
    public init(number: Int, time: Double, how: String, who: String?, changes: Int) {
        self.number = number
        self.time = time
        self.how = how
        self.who = who
        self.changes = changes
    }
}

/// A configuration that ran before, and its text.
public struct RevisionReply: Codable, Equatable, Sendable {
    public var revision: RevisionStatus
    public var yaml: String
    public init(revision: RevisionStatus, yaml: String) { self.revision = revision; self.yaml = yaml }
}

/// The parameters of `core.balance`.
public struct BalanceParams: Codable, Sendable {
    /// If true, the reply says which queues would move, but none is moved.
    public var dryRun: Bool?
    public init(dryRun: Bool = false) { self.dryRun = dryRun }
}

/// The parameters of `config.diff`.
public struct DiffParams: Codable, Sendable {
    /// The configuration, in YAML, that the running one is compared with; nil: the text of the daemon's configuration file.
    public var yaml: String?
    public init(yaml: String? = nil) { self.yaml = yaml }
}

/// The parameters of `config.save`.
public struct SaveParams: Codable, Sendable {
    /// If true, the file is written over although it was edited since it was loaded.
    public var force: Bool?
    public init(force: Bool = false) { self.force = force }
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
    /// What else the operator should know, as sentences; nil: nothing.
    public var notes: [String]?
    /// What will not work as it is written since the change, as sentences; nil: nothing. What did not work before either is not told again.
    public var warnings: [String]?
    public init(changes: [String], applied: Bool, kept: [String] = [], notes: [String] = [], warnings: [String] = []) {
        self.changes = changes
        self.applied = applied
        self.kept = kept.isEmpty ? nil : kept
        self.notes = notes.isEmpty ? nil : notes
        self.warnings = warnings.isEmpty ? nil : warnings
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
