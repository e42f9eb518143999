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
        .show(Methods.status) { engine, _ in engine.status() },
        .show(Methods.statsShow) { engine, _ in engine.stats() },
        MethodRow(Methods.configGet) { engine, request in
            try request.noParams()
            let (model, parts) = (engine.running.model, engine.running.parts)
            return .later { .reply(ConfigReply(yaml: Engine.document(model, parts), json: JSONValue(parts.base(of: model).document))) }
        },
        MethodRow(Methods.configApply) { engine, request in
            engine.document { try request.params(ApplyParams.self) } yaml: { $0.yaml } then: { engine, params, model in
                try engine.refuseBlank(params.yaml)
                let isDryRun = params.dryRun ?? false
                let changes = try engine.apply(model, source: params.yaml, isDryRun: isDryRun)
                return ChangeReply(changes: changes + (isDryRun ? [] : engine.retryParts()), applied: !isDryRun)
            }
        },
        MethodRow(Methods.configDiff) { engine, request in
            engine.document { try request.params(DiffParams.self) } yaml: { $0.yaml } then: { engine, params, model in
                ChangeReply(changes: try engine.apply(model, source: params.yaml, isDiff: true), applied: false, kept: engine.keptParts)
            }
        },
        MethodRow(Methods.partSet) { engine, request in engine.setPart(request) },
        .change(Methods.partDel) { engine, params in try engine.deletePart(params) },
        .show(Methods.partShow) { engine, params in try engine.showParts(params.name) },
        .change(Methods.edit) { engine, params in ChangeReply(changes: try engine.edit(params.object, params.verb, params.words), applied: true) },
        .show(Methods.portShow) { engine, params in try engine.ports(params.name) },
        MethodRow(Methods.portReset) { engine, request in
            let name = try engine.port(namedBy: request).name
            try engine.dataPlane.resetPort(name)
            return .reply(ChangeReply(changes: ["~ port \(name) (opened again)"], applied: true))
        },
        MethodRow(Methods.portQEMU) { engine, request in .shown(try engine.qemu(try engine.port(namedBy: request))) },
        .show(Methods.bridgeShow) { engine, params in try engine.bridges(params.name) },
        .show(Methods.groupShow) { engine, params in try engine.groups(params.name) },
        .show(Methods.guestShow) { engine, params in try engine.guests(params.name) },
        .show(Methods.fdbShow) { engine, params in try engine.addresses(params) },
        .change(Methods.fdbFlush) { engine, params in try engine.flush(params) },
        .show(Methods.mdbShow) { engine, params in try engine.members(params) },
        MethodRow(Methods.classShow) { engine, request in
            let snapshot = try engine.classes(try request.params(ClassParams.self))
            return .later { .reply(snapshot.statuses()) }
        },
        .show(Methods.protocolShow) { engine, params in try engine.protocols(params.name) },
        .show(Methods.filterShow) { engine, params in try engine.filters(params.name) },
        .show(Methods.mirrorShow) { engine, params in try engine.mirrors(params.name) },
        .show(Methods.coreShow) { engine, params in
            if params.stages == true { engine.dataPlane.measureStages(seconds: 3) }
            return engine.cores(listsStalls: params.stalls == true)
        },
        .change(Methods.coreBalance) { engine, params in engine.balance(isDryRun: params.dryRun ?? false) }
    ).map { ($0.name, $0) })
}
