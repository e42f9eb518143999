import Configuration
import ControlAPI
import DataPlane
import Foundation

/// The requests about parts of the configuration, which hooks own.
extension Engine {
    /// What happens to a part's file when the change to the running configuration is carried out.
    struct PartFile {
        let name: String
        let folder: PartFolder?
        /// The new file, which is on disk under a temporary name; nil if the file is removed, or already has the right content.
        var staged: PartFolder.Staged?
        var goes = false

        func commit() throws(StateFileError) {
            if goes { try folder?.remove(name) } else { try staged?.commit() }
        }
    }

    /// A part whose file is kept although it is not in use, because it does not fit the rest of the configuration or cannot be read.
    struct UnfitPart {
        /// The part; nil if its file cannot be read as a part.
        var part: Part?
        var sentence: String
    }

    /// Sets a part. Another thread parses it and writes its file under a temporary name; then the engine changes the configuration and renames the file.
    func setPart(_ request: Request) -> Response {
        let folder = folder
        nonisolated(unsafe) let engine = self
        return .first {
            let read = Result { () throws -> (Part, PartFolder.Staged?, isDryRun: Bool) in
                let params = try request.params(PartParams.self)
                let part = try Part(params.name, yaml: params.yaml), isDryRun = params.dryRun ?? false
                // A hook sets the same part several times while a virtual machine starts, so an unchanged file is not written again.
                let isKept = isDryRun || folder?.text(part.name) == part.yaml
                return (part, isKept ? nil : try folder?.stage(part), isDryRun)
            }
            return Response.Continuation {
                Self.answering {
                    let (part, staged, isDryRun) = try read.get()
                    defer { staged?.discard() }
                    let reply = try engine.put(part, staged, isDryRun: isDryRun)
                    if !isDryRun { engine.tell("part set \(part.name)", reply.changes, request.peer) }
                    return .reply(reply)
                }
            }
        }
    }

    private func put(_ part: Part, _ staged: PartFolder.Staged?, isDryRun: Bool) throws -> ChangeReply {
        let began = ContinuousClock.now
        let change = try running.changed(part: part.name, to: part)
        // The file had the right content when the other thread looked at it, but may have been changed or removed since.
        let again = staged == nil && !isDryRun && folder != nil && folder?.text(part.name) != part.yaml ? try folder?.stage(part) : nil
        defer { again?.discard() }
        let isKnown = staged == nil && again == nil && running.parts[part.name] == part
        let file = isKnown ? nil : PartFile(name: part.name, folder: folder, staged: staged ?? again)
        let lines = try carryOut(change, .part(name: part.name, yaml: part.yaml), began, isDryRun: isDryRun, file: file)
        if !isDryRun {
            unfit[part.name] = nil
            partTimes[part.name] = Date()
        }
        return ChangeReply(changes: lines, applied: !isDryRun, warnings: change.warnings)
    }

    func deletePart(_ params: PartDeletion, _ peer: Peer?) throws -> ChangeReply {
        let began = ContinuousClock.now, name = params.name
        guard running.parts[name] != nil else {
            guard unfit[name] != nil else {
                if params.ifThere == true { return ChangeReply(changes: [], applied: true) }
                throw noPart(name)
            }
            try folder?.remove(name)
            unfit[name] = nil
            return ChangeReply(changes: ["- part \(name) (it was not in use)"], applied: true)
        }
        let change = try running.changed(part: name, to: nil)
        let lines = try carryOut(change, .part(name: name, yaml: nil), began, file: PartFile(name: name, folder: folder, goes: true))
        partTimes[name] = nil
        tell("part del \(name)", lines, peer)
        return ChangeReply(changes: lines, applied: true, warnings: change.warnings)
    }

    /// Tries again to use parts that did not fit the configuration that ran before.
    /// - Returns: a line for each change.
    func retryParts() -> [String] {
        // Each part is checked together with the whole configuration, so a larger number of them would let clients wait too long.
        unfit.keys.sorted().prefix(64).flatMap { name -> [String] in
            guard let part = unfit[name]?.part else { return [] }
            do {
                return try put(part, nil, isDryRun: false).changes
            } catch {
                unfit[name]?.sentence = "\(error)"
                return []
            }
        }
    }

    func showParts(_ name: String?) throws -> [PartStatus] {
        if let name, running.parts[name] == nil, unfit[name] == nil { throw noPart(name) }
        let now = Date()
        func age(_ name: String) -> UInt64 { UInt64(max(0, now.timeIntervalSince(partTimes[name] ?? folder?.time(name) ?? startTime))) }
        let used = running.parts.all.map { part in
            PartStatus(
                name: part.name, yaml: part.yaml, ports: part.model.ports.map(\.name), guests: part.model.guests.map(\.name), ageSeconds: age(part.name),
                problem: unfit[part.name]?.sentence)
        }
        let unused = unfit.filter { running.parts[$0.key] == nil }.map { name, unfit in
            PartStatus(
                name: name, yaml: unfit.part?.yaml ?? "", ports: unfit.part?.model.ports.map(\.name) ?? [], guests: unfit.part?.model.guests.map(\.name) ?? [],
                ageSeconds: age(name), problem: unfit.sentence)
        }
        return (used + unused).filter { name == nil || $0.name == name }.sorted { $0.name < $1.name }
    }

    private func noPart(_ name: String) -> RPCError {
        let names = Set(running.parts.all.map(\.name)).union(unfit.keys).sorted()
        let there = names.isEmpty ? "there is none" : "there are \(names.prefix(12).joined(separator: ", "))\(names.count > 12 ? " and more" : "")"
        return RPCError(RPCError.notFound, "no part is called \(name): \(there)")
    }

    /// For each part a sentence that says that a change of the operator's configuration does not touch it.
    var keptParts: [String] {
        running.parts.all.map { part in
            let objects = part.model.ports.map { "port \($0.name)" } + part.model.guests.map { "guest \($0.name)" }
            return "part \(part.name) stays: \(objects.joined(separator: ", "))"
        }
    }

    /// The operator's configuration as a YAML document, followed by the ports and guests of the parts as comments.
    static func document(_ model: Model, _ parts: Parts) -> String {
        let operators = parts.base(of: model).yaml
        return parts.all.reduce(into: operators) { text, part in
            let lines = parts.model(of: part.name, in: model).yaml.split(separator: "\n").map { "#   \($0)\n" }.joined()
            text += "# The part \(part.name) owns what follows; applying a file leaves it as it is.\n\(lines)"
        }
    }
}
