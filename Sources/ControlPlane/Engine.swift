import Configuration
import ControlAPI
import DataPlane
import Dispatch
import Foundation
import Logging

/// Carries out the methods of the control socket on the running data plane. Only one thread uses it, the control thread.
final class Engine {
    let dataPlane: DataPlane
    let startTime = Date()
    let startInstant = ContinuousClock.now
    var portWatch = PortWatch()
    var floorWatch = FloorWatch()
    var dropWatch = DropWatch()
    /// Where it is told what happens.
    let desk: EventDesk
    /// Nobody fills the log by asking for what is refused.
    private var refusals = RateLimit(burst: 10, seconds: 10)
    let socket: String
    let log: Logger
    private let access: Access
    let keeper: StateKeeper?
    /// The configurations that ran before; nil: they are not kept.
    let history: RevisionFolder?
    /// The configuration that waits to be confirmed; nil: none does.
    var trial: Trial?
    /// The configuration file that the daemon was started with, as it was last loaded or saved, and what it says; nil: there is none.
    private(set) var file: LoadedFile?
    private(set) var fileModel: Model
    /// Why the file that is there now is not in use, as a sentence, if that was found at the start.
    private(set) var fileFlaw: String?
    /// The folder in which parts are kept; if nil, they do not outlive the daemon.
    let folder: PartFolder?
    /// The configuration that runs.
    private(set) var running: Running
    /// Parts that are kept but not in use, by name.
    var unfit: [String: UnfitPart]
    /// The time at which each part was set, if that was since this daemon started.
    var partTimes: [String: Date] = [:]
    private var hasStarted = false
    /// Whether the data plane may be closed already.
    private var hasEnded = false
    private(set) var changes: UInt64 = 0
    var classRates = RateBook()
    var coreRates = CoreBook()
    var trafficRates = TrafficBook()
    /// The queue of the control thread, on which captures are ended; nil: captures cannot be made.
    var captureQueue: DispatchQueue?
    /// The captures in progress, and maybe some that have ended.
    var captures: [CaptureStream] = []
    /// nil: metrics are not served, whatever the configuration says.
    var metricsService: MetricsService?
    var sflow = SFlowService()

    /// - Parameters:
    ///   - ids: the class ids as the last run left them.
    ///   - keeper: saves ids and configuration; nil: they do not outlive the daemon.
    ///   - history: the folder of the configurations that ran before; nil: they are not kept.
    ///   - startup: the configuration file, and what is to run.
    ///   - folder: the folder in which parts are kept; if nil, they are not kept.
    ///   - unfit: parts that the folder has but that cannot be used.
    ///   - access: who may ask for what.
    init(
        dataPlane: DataPlane, ids: ClassIDs, keeper: StateKeeper?, history: RevisionFolder? = nil, socket: String, startup: Startup, folder: PartFolder? = nil,
        unfit: [String: UnfitPart] = [:], access: Access, log: Logger
    ) {
        self.dataPlane = dataPlane
        self.keeper = keeper
        self.history = history
        self.log = log
        desk = EventDesk(log: log)
        self.access = access
        (file, fileModel, fileFlaw) = (startup.file, startup.fileModel, startup.flaw)
        keeper?.loaded = startup.file
        self.folder = folder
        self.unfit = unfit
        running = Running(dataPlane.model, ids: ids)
        self.socket = socket
    }

    /// Called every 50 ms.
    func refreshLinks() { dataPlane.refreshLinks() }

    /// Called about once a second.
    /// - Parameter queue: the queue of the control thread. What takes as long as many changes is done behind all that waits in it, one part after the other.
    func tick(on queue: DispatchQueue) {
        dataPlane.tick()
        tellPorts()
        undoTrialInTime()
        serveMetrics()
        followSFlow()
        sendCounters()
        keeper?.tick(running)
        nonisolated(unsafe) let engine = self
        queue.async {
            if engine.hasEnded { return }
            engine.trafficRates.sample(engine.dataPlane)
            engine.coreRates.sample(engine.dataPlane)
            queue.async {
                if engine.hasEnded { return }
                engine.classRates.sample(engine.dataPlane, shortOfTime: engine.trafficRates.shortOfTime)
                engine.tellTrouble()
            }
        }
    }

    /// What has happened since the last call without anybody asking for it, as sentences.
    func takeNotices() -> [String] { dataPlane.takeNotices() }

    /// Returns when everything that is to outlive the daemon is on disk.
    func end() {
        hasEnded = true
        metricsService?.stop()
        sflow.stop()
        keeper?.end(running)
    }

    /// Brings the data plane to what is to run when the daemon starts: ports that cannot be opened are reported, and the rest runs.
    /// - Parameter parts: the parts whose ports and guests `model` includes.
    /// - Returns: the changes, one on each line.
    func start(_ model: Model, _ parts: Parts) throws -> [String] {
        let began = ContinuousClock.now
        let change = try running.starting(with: model, parts), lines = try carryOut(change, nil, began)
        for sentence in change.warnings { log.warning("\(sentence)") }
        return lines
    }

    /// Tells in what the operator's own configuration differs from `model`, whether it can be changed at run time or not.
    func compare(_ model: Model) throws -> ChangeReply {
        let change = try running.changed(base: model)
        return ChangeReply(changes: try carryOut(change, nil, .now, isDiff: true), applied: false, kept: keptParts, warnings: change.warnings)
    }

    /// Makes one change, given in the words of the command line, either completely or not at all.
    func edit(_ object: String, _ verb: String, _ words: [String], _ peer: Peer?) throws -> ChangeReply {
        let reply = try edit(object, verb, words)
        tell("\(object) \(verb)", reply.changes, peer)
        return reply
    }

    private func edit(_ object: String, _ verb: String, _ words: [String]) throws -> ChangeReply {
        let began = ContinuousClock.now
        // Ports that are not open and addresses without room are tried again at every change, which only the general way does.
        let short = dataPlane.lostPorts.isEmpty && dataPlane.unboundAddresses.isEmpty && hasStarted
        switch try running.edited(object, verb, words, short: short) {
        case .local(let change):
            if change.lines.isEmpty { return ChangeReply(changes: [], applied: true) }
            _ = try record(.edit(object: object, verb: verb, words: words))
            keeper?.count((ContinuousClock.now - began) / .seconds(1))
            dataPlane.apply(change)
            running.adopt(change)
            changes += 1
            endForsakenCaptures()
            return ChangeReply(changes: change.lines + shortfalls(after: []), applied: true, warnings: change.warnings)
        case .whole(let change):
            let lines = try carryOut(change, .edit(object: object, verb: verb, words: words), began)
            return ChangeReply(changes: lines, applied: true, warnings: change.warnings)
        }
    }

    /// Refuses a document with nothing in it if something runs, as it was more likely cut off than meant.
    func refuseBlank(_ yaml: String) throws(ConfigurationError) {
        let model = running.base
        let counts = [(model.bridges.count, "bridge"), (model.ports.count, "port"), (model.groups.count, "group"), (model.guests.count, "guest"), (model.protocols.count, "protocol"), (model.filters.count, "filter"), (model.mirrors.count, "mirror")]
        guard counts.contains(where: { $0.0 != 0 }), Model.isBlank(yaml: yaml) else { return }
        let shown = counts.filter { $0.0 != 0 }.map { "\($0) \($1)\($0 == 1 ? "" : "s")" }.joined(separator: ", ")
        throw ConfigurationError("", "this is empty, and would take away all that runs (\(shown)): write {} instead if that is meant")
    }

    /// - Parameters:
    ///   - source: the change as the journal is to have it; nil at the start, which the state file itself records.
    ///   - file: the part's file that changes together with the configuration; nil if no file does.
    func carryOut(
        _ change: Running.Change, _ source: StateChange?, _ began: ContinuousClock.Instant, isDryRun: Bool = false, isDiff: Bool = false, file: PartFile? = nil
    ) throws -> [String] {
        let old = dataPlane.model, plan = change.plan
        let lines = plan.lines(from: old, to: change.model, adopted: dataPlane.adoptedPorts(from: old, to: change.model))
        if plan.needsRestart, !isDiff {
            let fixed = change.model.daemon.fixed(from: old.daemon)
            throw ConfigurationError(
                "daemon", "\(fixed) \(fixed.contains(",") ? "are" : "is") fixed while the daemon runs: leave it as it runs, or put it into the file and restart sluiced")
        }
        let lost = change.model.ports.map(\.name).filter { dataPlane.lostPorts[$0] != nil }
        let isNothing = plan.isEmpty && lost.isEmpty
        if isDryRun || isDiff || isNothing && hasStarted && file == nil { return lines + lost.map { "~ port \($0) (to be opened again)" } }
        // What may fail is done first. When the daemon starts, its ports are more important than its metrics, which are tried again.
        var listener = try hasStarted ? metricsService?.prepared(change.model.daemon.metrics) : nil
        defer { listener?.cancel() }
        // The change is saved before it is carried out, as nothing may run that would be forgotten at a restart.
        let takeBack = try save(change, source)
        keeper?.count((ContinuousClock.now - began) / .seconds(1))
        let fileBefore = file.flatMap { $0.folder?.text($0.name) }
        do {
            try file?.commit()
            if !isNothing { try dataPlane.apply(change.model, trees: change.trees, goesOn: !hasStarted) }
        } catch {
            takeBack?()
            if let file { file.folder?.restore(file.name, fileBefore) }
            throw error
        }
        let isStart = !hasStarted
        if isStart, keeper?.hasBegun == true { keeper?.removeEarlier() }
        hasStarted = true
        running.adopt(change)
        endForsakenCaptures()
        serveMetrics(listener)
        followSFlow()
        listener = nil
        if isNothing { return lines }
        if !isStart { changes += 1 }
        // A caller whose change contains nothing new, but who asks for a port that could not be opened, is told that it still cannot.
        if plan.isEmpty, let reason = dataPlane.lostPorts.values.min() { throw DataPlaneError(reason) }
        return lines + shortfalls(after: isStart ? dataPlane.lostPorts.keys.sorted() : lost)
    }

    /// Saves a change before it is carried out.
    /// - Returns: a closure that takes the saving back; nil: there is nothing to take back.
    private func save(_ change: Running.Change, _ source: StateChange?) throws(StateFileError) -> (() -> Void)? {
        if let source { return try record(source) }
        guard let keeper else { return nil }
        do throws(StateFileError) {
            return try keeper.begin(change)
        } catch {
            guard error.isOfDisk else { throw error }
            keeper.postpone(error)
            return nil
        }
    }

    /// Adds a change to the journal.
    /// - Returns: a closure that takes it back; nil: nothing is saved.
    func record(_ change: StateChange) throws(StateFileError) -> (() -> Void)? {
        guard let keeper else { return nil }
        do throws(StateFileError) {
            try keeper.catchUp(running)
        } catch {
            throw StateFileError("this is not done, because a restart would forget it: \(error)")
        }
        return try keeper.record(change)
    }

    /// Lines about what a change did not achieve although it was carried out, and about the ports of `lost` that it did open.
    private func shortfalls(after lost: [String]) -> [String] {
        let ports = lost.map { name in
            dataPlane.lostPorts[name].map { "! port \(name) (not open, and tried again by itself: \($0))" } ?? "~ port \(name) (opened again)"
        }
        return ports + dataPlane.unboundAddresses.map { "! fdb \($0.mac)\($0.vlan.map { " vlan \($0)" } ?? "") bridge \($0.bridge) (no room for it, so its guest's class is not used: raise fdb-size)" }
    }

    /// Answers one request.
    func handle(_ request: Request) -> Response {
        Self.answering {
            if let verb = Verb(request.method) {
                try refuse(request, .changes)
                return .reply(try edit(verb.object.rawValue, verb.verb.rawValue, try verb.words(request), request.peer))
            }
            guard let row = Self.methods[request.method] else {
                let names = Self.methods.keys.sorted() + Verb.all.map(\.name)
                throw RPCError(RPCError.methodNotFound, "no method '\(request.method)'; there are \(names.joined(separator: ", "))")
            }
            try refuse(request, row.effect)
            return try row.answer(self, request)
        }
    }

    /// Throws if whoever sent the request may not do what it asks for.
    private func refuse(_ request: Request, _ effect: MethodEffect) throws(RPCError) {
        guard let refusal = access.refusal(request.method, effect, to: request.peer) else { return }
        if refusals.consume((ContinuousClock.now - startInstant) / .seconds(1)) { log.notice("refused: \(request.method)", metadata: request.peer.map(Self.metadata)) }
        throw refusal
    }

    /// The answer that `body` gives, or the error that it throws.
    static func answering(_ body: () throws -> Response) -> Response {
        do { return try body() } catch { return failure(error) }
    }

    private static func failure(_ error: any Error) -> Response {
        switch error {
        case let error as RPCError: .failure(error)
        case let error as ConfigurationError: .failure(RPCError(error))
        case let error as DataPlaneError: .failure(RPCError(RPCError.failed, error.description))
        default: .failure(RPCError(RPCError.failed, "\(error)"))
        }
    }

    /// Has a document read and checked on another thread, however long that takes, and then continues on the control thread.
    func document<Params: Sendable>(
        _ params: @escaping @Sendable () throws -> Params, yaml: @escaping @Sendable (Params) -> String,
        then: @escaping @Sendable (Engine, Params, Model) throws -> ChangeReply
    ) -> Response {
        let daemon = daemonSettings
        nonisolated(unsafe) let engine = self
        return .first {
            let read = Result { () throws -> (Params, Model) in
                let params = try params()
                return (params, try Self.wanted(yaml(params), daemon))
            }
            return Response.Continuation {
                do {
                    let (params, model) = try read.get()
                    // The daemon's settings have changed meanwhile, and the document keeps those that it does not name, so it is read again.
                    if engine.daemonSettings != daemon { return engine.document({ params }, yaml: yaml, then: then) }
                    return .reply(try then(engine, params, model))
                } catch {
                    return Self.failure(error)
                }
            }
        }
    }

    /// Records that what runs was loaded from the configuration file, or saved in it.
    /// - Parameters:
    ///   - text: the file's text.
    ///   - model: what it says.
    func adopt(file text: String, _ model: Model) throws(StateFileError) {
        fileFlaw = nil
        guard file != nil, file?.text != text else { return }
        _ = try record(.file(text: text))
        file?.text = text
        fileModel = model
        keeper?.loaded = file
    }

    /// The daemon's settings as they run.
    var daemonSettings: DaemonSettings { dataPlane.model.daemon }

    /// The model of a document that is to be applied. If the document says nothing about the daemon itself, `daemon` stays. It may be called on any thread.
    static func wanted(_ yaml: String, _ daemon: DaemonSettings) throws -> Model { try Model.checked(yaml: yaml, daemon: daemon) }

    /// How the daemon fares, in a line for whoever started it.
    var summary: String {
        let failed = dataPlane.failedPorts.count, ports = dataPlane.model.ports.count
        return "carrying traffic; \(ports) port\(ports == 1 ? "" : "s")\(failed > 0 ? ", \(failed) failed: see sluice status" : "")"
    }

    func status() -> StatusReply {
        var reply = StatusReply()
        let model = dataPlane.model
        reply.version = sluiceVersion
        reply.pid = getpid()
        reply.uptimeSeconds = UInt64(max(0, -startTime.timeIntervalSinceNow))
        reply.socket = socket
        reply.configFile = file?.path
        reply.configFlaw = fileFlaw
        reply.unconfirmedSeconds = trial?.secondsLeft
        reply.bridges = model.bridges.count
        reply.ports = model.ports.count
        let conditions = dataPlane.conditions
        reply.portsUp = conditions.count { $0.condition == "up" }
        reply.portsFailed = DataPlane.failures(conditions).sorted()
        reply.unsaved = keeper?.obstacle
        reply.parts = running.parts.all.count
        reply.partsUnfit = unfit.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.sentence)" }
        reply.guests = model.guests.count
        reply.classes = dataPlane.treeDescriptions.reduce(0) { $0 + $1.classes.count + 1 }
        reply.cores = dataPlane.coreReports().count
        reply.hugepages = model.daemon.hugepages
        reply.buffers = model.daemon.buffers
        reply.buffersInUse = dataPlane.buffersInUse
        reply.changes = changes
        reply.queueMoves = dataPlane.queueMoves
        return reply
    }
}
