/// Ports and guests that belong together and come and go as one, such as those of one virtual machine: a part of the running model that is a model itself.
extension Model {
    /// This model with one part in place of another, checked as a whole. What both have keeps its place, and by its name its classes keep their ids.
    ///
    /// Of the old part, what is not here any more is not missed. Whoever lost sight of it passes the new part for both: what is there by those names is
    /// replaced.
    /// - Throws: what is wrong with the result, told by names; the new part may name what this model already has from elsewhere.
    public func replacing(_ old: Model, with new: Model) throws(ConfigurationError) -> Model {
        let model = putting(new, inPlaceOf: old)
        let problems = model.problems
        if !problems.isEmpty { throw ConfigurationError(problems.map { model.named($0) }) }
        return model
    }

    /// As `replacing`, without a look at the result.
    func putting(_ new: Model, inPlaceOf old: Model) -> Model {
        var model = self
        model.ports = Self.replacing(ports, old.ports, new.ports, \.name)
        model.guests = Self.replacing(guests, old.guests, new.guests, \.name)
        return model
    }

    /// As `replacing`, in single changes for `edited`.
    ///
    /// Each by itself can be refused where what is given up in one place is taken in another at the same time, such as two guests that change addresses.
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
