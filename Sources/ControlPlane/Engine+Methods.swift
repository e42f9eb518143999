import ControlAPI
import DataPlane

/// How the engine answers the methods of the control socket.
extension Engine {
    /// One method, and what the engine does when it is called.
    struct MethodRow {
        let name: String
        let effect: MethodEffect
        let answer: @Sendable (Engine, Request) throws -> Response

        /// A method that reports: what it answers is put into JSON on another thread, so that no other client waits for that.
        static func show<Params, Reply>(_ method: ControlAPI.Method<Params, Reply>, _ answer: @escaping @Sendable (Engine, Params) throws -> Reply) -> MethodRow {
            MethodRow(method) { .shown(try answer($0, try params(of: $1))) }
        }

        /// A method that reports of many objects: what it returns makes the reply on another thread, of what was read before.
        static func showLater<Params: Sendable, Reply>(
            _ method: ControlAPI.Method<Params, Reply>, _ answer: @escaping @Sendable (Engine, Params) throws -> @Sendable () throws -> Reply
        ) -> MethodRow {
            MethodRow(method) { engine, request in
                let reply = try answer(engine, try params(of: request))
                return .later { Engine.answering { .reply(try reply()) } }
            }
        }

        /// A method that changes something.
        static func change<Params, Reply>(_ method: ControlAPI.Method<Params, Reply>, _ answer: @escaping @Sendable (Engine, Params) throws -> Reply) -> MethodRow {
            MethodRow(method) { .reply(try answer($0, try params(of: $1))) }
        }

        private static func params<Params: Decodable>(of request: Request) throws(RPCError) -> Params {
            if let none = NoParams() as? Params {
                try request.noParams()
                return none
            }
            return try request.params(Params.self)
        }

        /// A method that answers in its own way, for example with work on other threads.
        init<Params, Reply>(_ method: ControlAPI.Method<Params, Reply>, _ answer: @escaping @Sendable (Engine, Request) throws -> Response) {
            name = method.name
            effect = method.effect
            self.answer = answer
        }
    }

    /// All methods by name, a row each.
    static let methods = Dictionary(uniqueKeysWithValues: [MethodRow](arrayLiteral:
        .show(Methods.version) { _, _ in VersionReply(version: sluiceVersion, dpdk: DataPlane.dpdkVersion) },
        MethodRow(Methods.status) { engine, request in
            try request.noParams()
            let (status, comparison) = (engine.status(), engine.comparison)
            // Reading and comparing the file is left to another thread.
            return .later { .reply(comparison.map { $0.told(in: status) } ?? status) }
        },
        .show(Methods.statsShow) { engine, _ in engine.stats() },
        MethodRow(Methods.configGet) { engine, request in
            try request.noParams()
            let (model, parts) = (engine.running.model, engine.running.parts)
            return .later { .reply(ConfigReply(yaml: Engine.document(model, parts), json: JSONValue(parts.base(of: model).document))) }
        },
        MethodRow(Methods.configApply) { engine, request in
            let (file, before) = (engine.file, engine.before)
            return engine.document {
                try Engine.Applying(try request.params(ApplyParams.self), file, before, how: "apply", who: request.peer)
            } yaml: { $0.params.yaml } then: { try $0.apply($1, $2) }
        },
        MethodRow(Methods.configDiff) { engine, request in
            let file = engine.file
            return engine.document { try Engine.compared(try request.params(DiffParams.self), file) } yaml: { $0 } then: { engine, _, model in
                try engine.compare(model)
            }
        },
        MethodRow(Methods.configDrift) { engine, request in
            try request.noParams()
            return try engine.drift()
        },
        MethodRow(Methods.configSave) { engine, request in try engine.save(request) },
        MethodRow(Methods.configHistory) { engine, request in
            try request.noParams()
            return try engine.showHistory()
        },
        MethodRow(Methods.configRevision) { engine, request in try engine.showRevision(request) },
        MethodRow(Methods.configRollback) { engine, request in try engine.rollBack(request) },
        MethodRow(Methods.configConfirm) { engine, request in .reply(try engine.confirm(try request.params(ConfirmParams.self), request.peer)) },
        MethodRow(Methods.partSet) { engine, request in engine.setPart(request) },
        MethodRow(Methods.partDel) { engine, request in .reply(try engine.deletePart(try request.params(PartDeletion.self), request.peer)) },
        .show(Methods.partShow) { engine, params in try engine.showParts(params.name) },
        MethodRow(Methods.edit) { engine, request in
            let params = try request.params(EditParams.self)
            return .reply(try engine.edit(params.object, params.verb, params.words, request.peer))
        },
        .showLater(Methods.portShow) { engine, params in
            let ports = try engine.ports(params.name)
            return { ports.statuses() }
        },
        MethodRow(Methods.portReset) { engine, request in
            let name = try engine.port(namedBy: request).name
            try engine.dataPlane.resetPort(name)
            let lines = ["~ port \(name) (opened again)"]
            engine.tell("port reset", lines, request.peer)
            return .reply(ChangeReply(changes: lines, applied: true))
        },
        MethodRow(Methods.portQEMU) { engine, request in .shown(try engine.qemu(try engine.port(namedBy: request))) },
        .show(Methods.bridgeShow) { engine, params in try engine.bridges(params.name) },
        .show(Methods.groupShow) { engine, params in try engine.groups(params.name) },
        .showLater(Methods.guestShow) { engine, params in
            let guests = engine.guests()
            return { try guests.statuses(named: params.name) }
        },
        .show(Methods.fdbShow) { engine, params in try engine.addresses(params) },
        .change(Methods.fdbFlush) { engine, params in try engine.flush(params) },
        .show(Methods.mdbShow) { engine, params in try engine.members(params) },
        .show(Methods.fipShow) { engine, params in try engine.grants(params) },
        .show(Methods.lldpShow) { engine, params in try engine.lldp(params.name) },
        .show(Methods.dcbShow) { engine, params in try engine.dcb(params.name) },
        .showLater(Methods.classShow) { engine, params in
            let classes = try engine.classes(params)
            return { classes.statuses() }
        },
        .show(Methods.protocolShow) { engine, params in try engine.protocols(params.name) },
        .show(Methods.filterShow) { engine, params in try engine.filters(params.name) },
        .show(Methods.mirrorShow) { engine, params in try engine.mirrors(params.name) },
        .show(Methods.sflowShow) { engine, _ in engine.sflowStatus() },
        .show(Methods.coreShow) { engine, params in
            if params.stages == true { engine.dataPlane.measureStages(seconds: 3) }
            return engine.cores(listsStalls: params.stalls == true)
        },
        .show(Methods.frameExplain) { engine, params in try engine.explain(params) },
        MethodRow(Methods.eventsSubscribe) { _, request in
            .subscription(to: try Event.Kind.named(try request.params(SubscribeParams.self).kinds))
        },
        MethodRow(Methods.captureStart) { engine, request in try engine.capture(try request.params(CaptureParams.self), request.peer) },
        .change(Methods.coreBalance) { engine, params in engine.balance(isDryRun: params.dryRun ?? false) }
    ).map { ($0.name, $0) })
}
