import Configuration
import ControlAPI
import DataPlane
import Dispatch
import Foundation
import Logging

/// The life of the daemon: it reads what to run, starts the poll loops, serves the control socket, and ends on a signal after giving everything back.
public struct Daemon {
    private let configFile: String?
    private let socket: String
    private let stateFile: String?
    private let folder: PartFolder?
    private let logLevel: Logger.Level
    private let viewGroup: String?
    private let changeGroup: String?

    /// The levels of messages, from the least important on.
    public static let logLevels = Logger.Level.allCases.map(\.rawValue)

    /// - Parameters:
    ///   - parts: the folder that keeps the parts, which hooks own; if nil, `conf.d` beside the configuration file or, without one, the state file.
    ///   - logLevel: one of `logLevels`: less important messages are not logged.
    ///   - viewGroup, changeGroup: the groups whose members may look, and look and change; nil: `sluice` and `sluice-admin`, if they exist.
    public init(configFile: String?, socket: String, stateFile: String?, parts: String? = nil, logLevel: String = Logger.Level.info.rawValue, viewGroup: String? = nil, changeGroup: String? = nil) {
        (self.viewGroup, self.changeGroup) = (viewGroup, changeGroup)
        self.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        self.configFile = configFile
        self.socket = socket
        self.stateFile = stateFile
        folder = (parts ?? PartFolder.standard(configFile: configFile, stateFile: stateFile)).map { PartFolder(path: $0) }
    }

    /// Runs the daemon, and returns after SIGTERM, SIGINT or SIGQUIT has ended it.
    /// - Throws: a sentence for whatever kept the daemon from starting.
    public func run() throws {
        _ = MallocLimits.set
        StandardError.neverWaits()
        var log = Logger(label: "sluiced", factory: { StandardErrorLog(label: $0) })
        log.logLevel = logLevel
        let signals = Signals()
        let manager = ServiceManager()
        if let warning = OpenFiles.raiseLimit() { log.warning("\(warning)") }

        let access = try Access(viewGroup: viewGroup, changeGroup: changeGroup)

        // The lock is taken first, so that a second daemon cannot take hugepages, sockets or the saved state from the first.
        let reserved = try ControlServer.reserve(socket)
        defer { reserved.release() }
        let state = stateFile.map { StateFile(path: $0) }
        let stateLock = try state.flatMap { try lock($0) }
        defer { stateLock?.release() }
        let saved = try state?.load()
        if let state, saved == nil { SavedState.tellOrphans(of: state, log) }
        let before = saved.flatMap { contents in state.map { SavedState($0, contents, log) } }
        let startup = try Startup(configFile: configFile, stateFile: stateFile, saved: saved, before: before, log)
        let ids = before?.running?.ids ?? saved?.ids ?? ClassIDs()
        let (wanted, unfit) = withParts(startup.running, ids, log)
        let model = wanted.model

        if let file = startup.file, Model.isBlank(yaml: file.text) { log.warning("\(file.path) is empty: it configures nothing") }
        let dataPlane = try DataPlane(model.daemon, controlSocket: socket)
        let keeper = state.map { StateKeeper($0, lock: stateLock, generation: before?.generation ?? 0, log: log) }
        let history = stateFile.map { RevisionFolder(path: RevisionFolder.standard(stateFile: $0)) }
        let engine = Engine(
            dataPlane: dataPlane, ids: ids, keeper: keeper, history: history, socket: socket, startup: startup, folder: folder, unfit: unfit, access: access, log: log)
        let control = DispatchQueue(label: "control")
        engine.captureQueue = control
        engine.metricsService = MetricsService(queue: control, access: access)
        let server = ControlServer(path: socket, queue: control, access: access, obstacle: { SilentLoops.sentence }) { request in engine.handle(request) }
        do {
            try control.sync { for line in try engine.start(model, wanted.parts) where line.hasPrefix("!") { log.warning("\(line.dropFirst(2))") } }
            // These notices were logged just now, from the lines of the change.
            _ = control.sync { engine.takeNotices() }
            try server.start(reserved)
            engine.desk.publish { server.publish($0) }
            control.sync { engine.rememberStart(startup.replaced) }
        } catch {
            control.sync { dataPlane.close() }
            throw error
        }

        let timer = DispatchSource.makeTimerSource(queue: control)
        timer.schedule(deadline: .now() + 1, repeating: 1)
        timer.setEventHandler {
            engine.tick(on: control)
            manager?.tell(status: engine.summary)
        }
        timer.resume()
        let linkTimer = DispatchSource.makeTimerSource(queue: control)
        linkTimer.schedule(deadline: .now() + .milliseconds(50), repeating: .milliseconds(50))
        linkTimer.setEventHandler { engine.refreshLinks() }
        linkTimer.resume()
        tellReady()
        manager?.ready(status: control.sync { engine.summary })
        let heartbeats = dataPlane.heartbeats
        let watchdog = manager.flatMap { Watchdog($0) { heartbeats.turns } }
        log.info("carrying traffic", metadata: ["ports": "\(model.ports.count)", "poll_loops": "\(dataPlane.coreReports().count)"])

        let desk = engine.desk
        let watchman = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "silence"))
        var wasSilent = false
        watchman.schedule(deadline: .now() + 1, repeating: 1)
        watchman.setEventHandler {
            let sentence = SilentLoops.sentence
            if let sentence, !wasSilent { desk.post(Event(.core, level: "error", sentence)) }
            if sentence == nil, wasSilent { desk.post(Event(.core, level: "info", "all poll loops answer again")) }
            wasSilent = sentence != nil
        }
        watchman.resume()

        while case .reload = signals.next() {
            manager?.reloading()
            reload(engine, control, log)
            manager?.ready(status: control.sync { engine.summary })
        }
        manager?.stopping()
        log.info("ending; another signal ends it at once")
        timer.cancel()
        linkTimer.cancel()
        server.stop()
        // Poll loops that have stopped take no turns, which is no fault from here on.
        watchdog?.end()
        control.sync {
            engine.end()
            dataPlane.close()
        }
    }

    /// Locks the state file.
    /// - Returns: nil if the disk does not allow a lock file now; the state is not written before it does.
    private func lock(_ state: StateFile) throws(StateFileError) -> FileLock? {
        do throws(StateFileError) {
            return try state.lock()
        } catch {
            guard error.isOfDisk else { throw error }
            return nil
        }
    }

    /// Applies the configuration file again, as `sluice apply` would.
    private func reload(_ engine: Engine, _ control: DispatchQueue, _ log: Logger) {
        guard let file = control.sync(execute: { engine.file }) else {
            return log.warning("SIGHUP reloads the file given with --config, and there was none: use sluice apply FILE")
        }
        do {
            let text = try file.current()
            // The file is read on this thread, so that no client of the control queue has to wait for that.
            var reply: ChangeReply?
            while reply == nil {
                let (daemon, before) = control.sync { (engine.daemonSettings, engine.before) }
                let model = try Engine.wanted(text, daemon)
                let wanted = try Engine.Applying(ApplyParams(yaml: text), file, before, how: "reload", who: nil)
                reply = try control.sync {
                    guard engine.daemonSettings == daemon else { return nil }
                    return try engine.apply(wanted, model)
                }
            }
            log.info("reloaded \(file.path)\(reply?.changes.isEmpty == false ? "" : ": nothing has changed")")
            for line in reply?.changes ?? [] { log.debug("\(line)") }
            for sentence in reply?.warnings ?? [] { log.warning("\(sentence)") }
        } catch {
            log.error("\(file.path) is not reloaded, and what ran goes on:\n\(error)")
        }
    }

    /// Prints the line on a thread of its own: if nobody reads standard output any more, that thread blocks, and the daemon can still end.
    private func tellReady() {
        let line = "ready \(socket)\n"
        Thread.detachNewThread { line.withCString { _ = write(STDOUT_FILENO, $0, strlen($0)) } }
    }

    /// Says why the daemon did not start, on standard error.
    public static func tell(_ error: any Error) { StandardError.writeLast("sluiced: \(error)\n") }

    /// Adds those parts of the folder that fit the configuration that is to run. The folder decides which parts there are. A part whose text is the same in the
    /// state file keeps the single changes that were made to it.
    private func withParts(_ base: Running, _ ids: ClassIDs, _ log: Logger) -> (Running, unfit: [String: Engine.UnfitPart]) {
        guard let folder else { return (base, [:]) }
        let found = folder.load()
        var unfit: [String: Engine.UnfitPart] = [:], running = base
        let names = Set(found.parts.map(\.name)).union(found.flaws.map(\.name))
        var changes: [(name: String, part: Part?)] = []
        if found.isComplete { changes += base.parts.all.filter { !names.contains($0.name) }.map { ($0.name, nil) } }
        changes += found.parts.filter { base.parts[$0.name] != $0 }.map { ($0.name, $0) }
        for flaw in found.flaws {
            log.error("\(flaw.sentence)")
            if !flaw.name.isEmpty { unfit[flaw.name] = Engine.UnfitPart(sentence: flaw.sentence) }
        }
        for (name, reason) in running.adopt(parts: changes) {
            let part = found.parts.first { $0.name == name }
            log.error("the part \(name) is not in use, as it does not go together with the rest: \(reason)")
            // If only the new text of a part does not fit, the ports and guests that it had before go on running.
            if part != nil { unfit[name] = Engine.UnfitPart(part: part, sentence: "\(reason)") }
        }
        return (Running(running.model, ids: ids, parts: running.parts), unfit)
    }
}

/// A sentence that says why the daemon did not start.
struct DaemonError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
