/// The running configuration consists of the operator's own configuration and all parts. Each can be changed without the others.
extension Running {
    /// The operator's own configuration: the running one without the ports and guests that parts own.
    public var base: Model { parts.base(of: model) }

    /// The change that replaces the operator's own configuration. What parts own stays as it is running.
    /// - Parameter new: a configuration that is valid by itself.
    /// - Throws: what in it conflicts with the parts.
    public func changed(base new: Model) throws(ConfigurationError) -> Change {
        if parts.isEmpty { return try changed(to: new, isChecked: true) }
        let conflicts = parts.conflicts(with: new)
        if !conflicts.isEmpty { throw ConfigurationError(conflicts) }
        var whole = new
        whole.ports += model.ports.filter { parts.owner(ofPort: $0.name) != nil }
        whole.guests += model.guests.filter { parts.owner(ofGuest: $0.name) != nil }
        return try whole.refusingByName(parts) { () throws(ConfigurationError) in try changed(to: whole) }
    }

    /// The change with which a daemon starts.
    /// - Parameter whole: a valid configuration, which already includes the ports and guests of the parts.
    public func starting(with whole: Model, _ parts: Parts) throws(ConfigurationError) -> Change {
        var change = try changed(to: whole, isChecked: true)
        change.parts = parts
        return change
    }

    /// The change that adds, replaces or removes a part.
    /// - Parameter part: the new part of this name; nil removes it, if it exists.
    /// - Throws: what in it conflicts with the rest of the configuration.
    public func changed(part name: String, to part: Part?) throws(ConfigurationError) -> Change {
        try changed(parts: [(name, part)])
    }

    /// The same as `changed(part:to:)` for several parts at once.
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

    /// Adopts the parts that fit the rest of the configuration, in their order. The others are left out.
    /// - Returns: the parts that were left out, and why.
    public mutating func adopt(parts new: [(name: String, part: Part?)]) -> [(name: String, reason: ConfigurationError)] {
        if new.isEmpty { return [] }
        do throws(ConfigurationError) {
            adopt(try changed(parts: new))
            return []
        } catch {
            // All parts together take one check of the whole configuration. If that fails, dividing them into halves finds the few that do not fit without a
            // check for each part.
            if new.count == 1 { return [(new[0].name, error)] }
            let middle = new.count / 2
            return adopt(parts: Array(new[..<middle])) + adopt(parts: Array(new[middle...]))
        }
    }

    /// Throws if a command would delete a port or a guest that a part owns.
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
    /// Runs `body` and rewrites the problems that it throws so that they name objects and the parts that own them. Places in lists would mean nothing to the
    /// user, who has never seen this model as one document.
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
