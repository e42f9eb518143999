/// A part is a set of ports and guests that are added and removed together, such as those of one virtual machine. It is itself a model, which is contained in
/// the running one.
extension Model {
    /// Returns this model with one part replaced by another, after checking the result as a whole. Objects that both parts have keep their places and, because
    /// their names are the same, the ids of their classes.
    ///
    /// Objects of the old part that this model no longer has are ignored. A caller that does not know the old part passes the new one for both, so that objects
    /// with these names are replaced.
    /// - Throws: everything that is wrong with the result, such as a name that occurs elsewhere in this model, told by the objects' names.
    public func replacing(_ old: Model, with new: Model) throws(ConfigurationError) -> Model {
        let model = putting(new, inPlaceOf: old)
        let problems = model.problems
        if !problems.isEmpty { throw ConfigurationError(problems.map { model.named($0) }) }
        return model
    }

    /// The same as `replacing`, without checking the result.
    func putting(_ new: Model, inPlaceOf old: Model) -> Model {
        var model = self
        model.ports = Self.replacing(ports, old.ports, new.ports, \.name)
        model.guests = Self.replacing(guests, old.guests, new.guests, \.name)
        return model
    }

    /// The change that `replacing` makes, as commands for `edited`.
    ///
    /// The commands have to be applied together: one alone may be refused, for example if two guests exchange their addresses.
    public func commands(replacing old: Model, with new: Model) -> [EditCommand] {
        var (before, after) = (Model(), Model())
        (before.ports, before.guests) = (
            old.ports.compactMap { port in ports.first { $0.name == port.name } }, old.guests.compactMap { guest in guests.first { $0.name == guest.name } }
        )
        (after.ports, after.guests) = (new.ports, new.guests)
        return EditCommand.turning(before, into: after)
    }

    private static func replacing<Element>(_ all: [Element], _ old: [Element], _ new: [Element], _ key: KeyPath<Element, String>) -> [Element] {
        let gone = Set(old.map { $0[keyPath: key] })
        var rest = new
        let kept = all.compactMap { element -> Element? in
            let name = element[keyPath: key]
            guard gone.contains(name) else { return element }
            guard let place = rest.firstIndex(where: { $0[keyPath: key] == name }) else { return nil }
            return rest.remove(at: place)
        }
        return kept + rest
    }
}
