/// The configuration that runs: the model, its scheduling trees and the ids of their classes. They are kept together so that the cost of a small change depends
/// on what it changes, not on the size of the whole.
///
/// The general way to make a change is to build the new model and all its trees, to check them and to compare them with the old ones. An edit of one guest, or
/// of one class's settings, that leaves all others as they are takes a shorter way with the same result (`LocalIndex`). Where the shorter way is not sure of
/// that, or finds anything wrong, the general way decides.
public struct Running: Sendable {
    public private(set) var model: Model
    public private(set) var trees: [TreeDescription]
    public private(set) var ids: ClassIDs
    /// The parts in use, and the ports and guests that they own.
    public private(set) var parts: Parts
    /// The index for the shorter way; nil: it is made when it is needed.
    private var index: LocalIndex?

    /// - Parameters:
    ///   - ids: the class ids in use. Ids of classes that `model` does not have are kept for the next change: when the daemon starts, nothing runs yet, and they
    ///     are the ids of its last run.
    ///   - parts: the parts in use. `model` already has their ports and guests.
    public init(_ model: Model = Model(), ids: ClassIDs = ClassIDs(), parts: Parts = Parts()) {
        self.model = model
        self.ids = ids
        self.parts = parts
        var assigned = ids
        trees = Configuration.trees(of: model, ids: &assigned)
    }

    /// What a change to another model comes to. Nothing has been changed yet.
    public struct Change: Sendable {
        public var plan: Plan
        public var model: Model
        public var trees: [TreeDescription]
        public var ids: ClassIDs
        public var parts: Parts
        /// The warnings that it brings (`Model.warnings(since:)`).
        public var warnings: [String] = []
    }

    /// What one command for a single change comes to. Nothing has been changed yet.
    public enum Edit: Sendable {
        /// It touches one guest or one group only, and was worked out by the shorter way.
        case local(LocalChange)
        case whole(Change)
    }

    /// What the change to another model comes to.
    /// - Parameter isChecked: whether `new` is known to have no problems, so that it need not be checked.
    /// - Throws: everything that is wrong with `new`.
    public func changed(to new: Model, isChecked: Bool = false) throws(ConfigurationError) -> Change { try changed(to: new, isChecked: isChecked, of: nil) }

    /// - Parameter object: the object that was changed, if it was a single one.
    private func changed(to new: Model, isChecked: Bool = false, of object: ChangedObject?) throws(ConfigurationError) -> Change {
        var after = ids
        var made: [TreeDescription]?
        func trees() -> [TreeDescription] {
            if let made { return made }
            let result = Configuration.trees(of: new, ids: &after)
            made = result
            return result
        }
        if !isChecked {
            let problems = new.problems(changed: object, trees: trees)
            guard problems.isEmpty else { throw ConfigurationError(problems) }
        }
        let plan = diff(from: model, self.trees, to: new, trees())
        let warnings = plan.actions.contains(where: \.mayWarn) ? new.warnings(since: model) : []
        return Change(plan: plan, model: new, trees: trees(), ids: after, parts: parts, warnings: warnings)
    }

    /// The change that the words of one command ask for, as at `Model.edited`.
    /// - Parameter short: whether the shorter way may be taken.
    /// - Throws: what is wrong, in the sentences of the general way.
    public mutating func edited(_ object: String, _ verb: String, _ words: [String], short: Bool = true) throws(ConfigurationError) -> Edit {
        if !parts.isEmpty, let object = EditObject(rawValue: object), let verb = EditVerb(rawValue: verb) { try refuseTaking(object, verb, words) }
        if short, !model.mirrorsNameClasses, let object = EditObject(rawValue: object), object == .class || object == .guest {
            if index == nil { index = LocalIndex(model, trees, ids) }
            if let change = index?.change(object, verb, words, model, trees, ids) { return .local(change) }
        }
        let editor = try model.edit(object, verb, words)
        do throws(ConfigurationError) {
            return .whole(try changed(to: editor.model, of: editor.changed))
        } catch {
            throw ConfigurationError(error.problems.map { editor.named($0) })
        }
    }

    /// Records that the change has been made.
    public mutating func adopt(_ change: Change) {
        (model, trees, ids, parts) = (change.model, change.trees, change.ids, change.parts)
        index = nil
    }

    /// Records that the change has been made. It must have been worked out from this very configuration.
    public mutating func adopt(_ change: LocalChange) {
        index?.adopt(change, model, trees)
        model.adopt(change)
        for edit in change.trees {
            if !edit.splices.isEmpty {
                let (old, new) = trees[edit.tree].concerned(by: edit)
                ids.adopt(tree: edit.name, old: old, new: new)
            }
            trees[edit.tree].adopt(edit)
            index?.trees[edit.tree].renumber(after: edit, trees[edit.tree])
        }
    }
}
