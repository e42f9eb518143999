/// What runs is the operator's own configuration together with all parts. Either changes without the other.
extension Running {
    /// The operator's own configuration: what runs, without what parts own.
    public var base: Model { parts.base(of: model) }

    /// What the change to another configuration of the operator's comes to. What parts own stays as it runs.
    /// - Parameter new: a configuration that has no problems by itself.
    /// - Throws: what does not go together with the parts.
    public func changed(base new: Model) throws(ConfigurationError) -> Change {
        if parts.isEmpty { return try changed(to: new, isChecked: true) }
        let conflicts = parts.conflicts(with: new)
        if !conflicts.isEmpty { throw ConfigurationError(conflicts) }
        var whole = new
        whole.ports += model.ports.filter { parts.owner(ofPort: $0.name) != nil }
        whole.guests += model.guests.filter { parts.owner(ofGuest: $0.name) != nil }
        return try whole.refusingByName(parts) { () throws(ConfigurationError) in try changed(to: whole) }
    }

    /// What it comes to that a daemon starts with this configuration, which has no problems and the ports and guests of these parts.
    public func starting(with whole: Model, _ parts: Parts) throws(ConfigurationError) -> Change {
        var change = try changed(to: whole, isChecked: true)
        change.parts = parts
        return change
    }

    /// What it comes to that a part is put in place of the one of its name, or that one goes.
    /// - Parameter part: nil: it goes, if it is there.
    /// - Throws: what does not go together with the rest.
    public func changed(part name: String, to part: Part?) throws(ConfigurationError) -> Change {
        try changed(parts: [(name, part)])
    }

    /// As `changed(part:to:)`, for several at once.
    private func changed(parts changes: [(name: String, part: Part?)]) throws(ConfigurationError) -> Change {
        var (whole, after) = (model, parts)
        for (name, part) in changes {
            if let part {
                let conflicts = after.conflicts(of: part, in: whole)
                if !conflicts.isEmpty { throw ConfigurationError(conflicts) }
            }
            whole = whole.putting(part?.model ?? Model(), inPlaceOf: after[name]?.model ?? Model())
            after.set(name, part)
        }
        let (result, all) = (whole, after)
        var change = try result.refusingByName(all) { () throws(ConfigurationError) in try changed(to: result) }
        change.parts = after
        return change
    }

    /// Puts those parts in place that go together with the rest, in their order. The others are left out.
    /// - Returns: those that are left out, and why.
    public mutating func adopt(parts new: [(name: String, part: Part?)]) -> [(name: String, reason: ConfigurationError)] {
        if new.isEmpty { return [] }
        do throws(ConfigurationError) {
            adopt(try changed(parts: new))
            return []
        } catch {
            // All at once takes one look at the whole; halves find the few that are in the way without a look for each.
            if new.count == 1 { return [(new[0].name, error)] }
            let middle = new.count / 2
            return adopt(parts: Array(new[..<middle])) + adopt(parts: Array(new[middle...]))
        }
    }

    /// Refuses to take a port or a guest from the part that owns it.
    func refuseTaking(_ object: EditObject, _ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        guard verb == .del, let name = words.first else { return }
        let owner: String? =
            switch object {
            case .port: parts.owner(ofPort: name)
            case .guest: parts.owner(ofGuest: name)
            default: nil
            }
        guard let owner else { return }
        throw ConfigurationError(
            "", "the \(object.rawValue) \(name) belongs to the part \(owner), and goes with it: `sluice part del \(owner)`")
    }
}

extension Model {
    /// Tells what is wrong with this model by the names of its objects and of the parts that own them, as nobody has seen it as one document.
    fileprivate func refusingByName<Result>(
        _ parts: Parts, _ body: () throws(ConfigurationError) -> Result
    ) throws(ConfigurationError) -> Result {
        do throws(ConfigurationError) {
            return try body()
        } catch {
            throw ConfigurationError(
                error.problems.map { problem in
                    var named = named(problem)
                    let words = named.path.split(separator: " ", maxSplits: 2)
                    guard words.count >= 2 else { return named }
                    let owner =
                        switch words[0] {
                        case "port": parts.owner(ofPort: String(words[1]))
                        case "guest": parts.owner(ofGuest: String(words[1]))
                        default: nil as String?
                        }
                    if let owner { named.path = "part \(owner): \(named.path)" }
                    return named
                })
        }
    }
}
