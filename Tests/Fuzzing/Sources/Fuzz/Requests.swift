import Configuration
import ControlAPI
import Foundation

/// What a client sends to the control socket. Each line is parsed, its parameters are read as its method reads them, and it is answered.
func fuzzRequests(_ bytes: [UInt8]) {
    for line in bytes.split(separator: 0x0a) {
        let line = RequestLine(Data(line))
        claim(!line.requests.isEmpty && (line.isBatch || line.requests.count == 1), "a line is one request, or a batch")
        for item in line.requests {
            switch item {
            case .failure(let failure):
                check(failure.error)
                check(.failure(failure.error), failure.id)
            case .success(let request):
                let response: Response
                do { response = try answer(request) } catch let error as RPCError {
                    check(error)
                    response = .failure(error)
                } catch {
                    claim(false, "reading a request throws an RPCError: \(error)")
                    return
                }
                check(response, request.id ?? .null)
            }
        }
    }
}

/// A reply is one line of JSON, and has the request's id.
private func check(_ response: Response, _ id: RequestID) {
    let line = response.encoded(id: id)
    claim(line.last == 0x0a && line.firstIndex(of: 0x0a) == line.count - 1, "a reply is one line")
    do {
        try JSONText.check(line.dropLast())
        let reply = try JSONDecoder().decode(Reply<JSONValue>.self, from: line)
        claim(reply.id ?? .null == id, "a reply has the id of its request")
        claim((reply.result == nil) != (reply.error == nil), "a reply has a result or an error: \(String(decoding: line, as: UTF8.self))")
    } catch {
        claim(false, "a reply is JSON: \(error)")
    }
}

private let running: Running = {
    var running = Running()
    running.adopt(accepted("the example is valid") { () throws(ConfigurationError) in try running.changed(to: Model.checked(yaml: Examples.office)) })
    return running
}()

private func answer(_ request: Request) throws -> Response {
    do {
        if let verb = Verb(request.method) { return try edit(verb.object.rawValue, verb.verb.rawValue, try verb.words(request)) }
        switch request.method {
        case Methods.configApply.name: return try document(read(request, ApplyParams.self).yaml)
        case Methods.configDiff.name: if let yaml = try read(request, DiffParams.self).yaml { return try document(yaml) }
        case Methods.partSet.name:
            let params = try read(request, PartParams.self)
            let change = try running.changed(part: params.name, to: try Part(params.name, yaml: params.yaml))
            return .reply(ChangeReply(changes: change.plan.lines(from: running.model, to: change.model), applied: true))
        case Methods.edit.name:
            let params = try read(request, EditParams.self)
            return try edit(params.object, params.verb, params.words)
        default:
            guard let read = readers[request.method] else { throw RPCError(RPCError.methodNotFound, "there is no such method") }
            try read(request)
        }
        return .reply(JSONValue.object(try request.object()))
    } catch let error as ConfigurationError {
        check(error)
        throw RPCError(error)
    }
}

/// For each of the other methods, what reads its parameters.
private let readers: [String: @Sendable (Request) throws -> Void] = {
    func reader<Params, Reply>(_ method: ControlAPI.Method<Params, Reply>) -> (String, @Sendable (Request) throws -> Void) {
        (method.name, { request in if Params.self == NoParams.self { try request.noParams() } else { _ = try read(request, Params.self) } })
    }
    return Dictionary(uniqueKeysWithValues: [
        reader(Methods.version), reader(Methods.status), reader(Methods.statsShow), reader(Methods.configGet), reader(Methods.configSave),
        reader(Methods.configRollback), reader(Methods.configConfirm), reader(Methods.partDel), reader(Methods.partShow), reader(Methods.portShow),
        reader(Methods.fdbShow), reader(Methods.fdbFlush), reader(Methods.mdbShow), reader(Methods.fipShow), reader(Methods.classShow), reader(Methods.coreShow),
        reader(Methods.coreBalance), reader(Methods.mirrorShow), reader(Methods.configRevision), reader(Methods.lldpShow),
        reader(Methods.captureStart),
    ])
}()

/// The names of all methods that this target knows.
let methodNames = Verb.all.map(\.name) + readers.keys.sorted()
    + [Methods.configApply.name, Methods.configDiff.name, Methods.partSet.name, Methods.edit.name]

/// Reads the parameters. What a client that sent these would write is read as the same.
private func read<Params: Codable>(_ request: Request, _ type: Params.Type) throws -> Params {
    let params = try request.params(type)
    let first = try JSONRPC.encoder().encode(params)
    guard case .success(let again) = Request.parse(try Request.encode(request.method, params, id: .number(1)).dropLast()) else {
        claim(false, "a request that a client encodes can be parsed")
        return params
    }
    do { claim(try JSONRPC.encoder().encode(again.params(type)) == first, "parameters read back as the same") } catch {
        // An encoded nil is not written, and then the parameter is missing.
        claim(false, "parameters that were read can be written and read again: \(error)")
    }
    return params
}

private func document(_ yaml: String) throws(ConfigurationError) -> Response {
    let model = try Model.checked(yaml: yaml)
    let change = try running.changed(base: model)
    return .reply(ConfigReply(yaml: change.model.yaml, json: JSONValue(change.model.document)))
}

private func edit(_ object: String, _ verb: String, _ words: [String]) throws(ConfigurationError) -> Response {
    var running = running
    let before = running.model
    switch try running.edited(object, verb, words) {
    case .local(let change): return .reply(ChangeReply(changes: change.lines, applied: true))
    case .whole(let change): return .reply(ChangeReply(changes: change.plan.lines(from: before, to: change.model), applied: true))
    }
}
