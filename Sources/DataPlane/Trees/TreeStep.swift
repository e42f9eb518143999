import Scheduler

/// One change to a tree, which is made to each of its instances.
package enum TreeStep: BitwiseCopyable {
    case add(ClassID, under: ClassID, Scheduler.ClassParameters)
    case change(ClassID, Scheduler.ClassParameters)
    case move(ClassID, under: ClassID)
    /// The heir takes over the frames that the class holds and those that still come for it; 0: nobody does. See `ClassTree.remove`.
    case remove(ClassID, heir: ClassID)
    /// Bytes that are charged for each frame in addition to its length.
    case overhead(bytes: Int)
    /// The leaves of an output, which was full or paused, are served again.
    case unpark(output: UInt16)
    /// The root's rate is shared among traffic classes from now on; nil: it is not.
    case share(LinkShares?)
    /// The tree counts how long frames wait, or does so no longer.
    case countDelays(Bool)
    /// Frees the frames that the tree gave up.
    case freeFrames
}

extension TreeStep {
    /// Makes the change. Frames that a tree gave up must be freed by its lcore, so `freeFrames` does nothing here.
    @_noLocks
    package func carryOut(on tree: UnsafeMutablePointer<ClassTree>, at now: Nanoseconds) -> ChangeVerdict {
        switch self {
        case .add(let id, let parent, let parameters): return tree.pointee.add(id, under: parent, parameters, at: now)
        case .change(let id, let parameters): return tree.pointee.change(id, parameters, at: now)
        case .move(let id, let parent): return tree.pointee.move(id, under: parent, at: now)
        case .remove(let id, let heir): return tree.pointee.remove(id, leavingTo: heir, at: now)
        case .overhead(let bytes): tree.pointee.change(overhead: bytes)
        case .unpark(let output):
            tree.pointee.unpark(output: output)
            tree.pointee.pause(0, of: output)
        case .share(let shares): tree.pointee.share(by: shares)
        case .countDelays(let isWanted): tree.pointee.countDelays(isWanted)
        case .freeFrames: break
        }
        return .done
    }

    /// The class that gets parameters from this step, and these parameters; nil: none does.
    var given: (id: ClassID, parameters: Scheduler.ClassParameters)? {
        switch self {
        case .add(let id, _, let parameters), .change(let id, let parameters): (id, parameters)
        case .move, .remove, .overhead, .unpark, .share, .countDelays, .freeFrames: nil
        }
    }

    /// What the operator is told about a step that an instance of a tree has refused. That is a fault in the plan that led to the step, as no configuration
    /// that is free of problems leads to such a step.
    /// - Parameter tree: the tree's name; nil: the tree is gone.
    package func refusal(_ verdict: ChangeVerdict, cpu: Int, tree: String?) -> String {
        """
        the poll loop on CPU \(cpu) refused to \(self) in \(tree.map { "tree \($0)" } ?? "a tree that is gone"): \(verdict.reason). Until the daemon is \
        started anew, what it runs may not be what `sluice config show` says. This is a fault of sluiced: please report it
        """
    }

    /// The class that this step removes; nil: it removes none.
    var removed: ClassID? { if case .remove(let id, _) = self { id } else { nil } }
}

extension TreeStep: CustomStringConvertible {
    /// What is to be done, for a sentence that says who refused it: "add class 7 under class 3".
    package var description: String {
        switch self {
        case .add(let id, let parent, _): "add class \(id) under class \(parent)"
        case .change(let id, _): "change class \(id)"
        case .move(let id, let parent): "move class \(id) under class \(parent)"
        case .remove(let id, let heir): heir == 0 ? "remove class \(id)" : "remove class \(id), whose frames class \(heir) takes over"
        case .overhead(let bytes): "charge \(bytes) bytes more for each frame"
        case .unpark(let output): "let the leaves of output \(output) go on"
        case .share(let shares): shares == nil ? "share the rate among traffic classes no longer" : "share the rate among traffic classes"
        case .countDelays(let isWanted): isWanted ? "count delays" : "count delays no longer"
        case .freeFrames: "free what it gave up"
        }
    }
}

extension ChangeVerdict {
    /// Why a change was not made, as the end of a sentence.
    var reason: String {
        switch self {
        case .done: "it was done"
        case .reservedID: "that class is the root, or none"
        case .idOutOfRange: "there is no room for a class of that number"
        case .unknownClass: "there is no such class"
        case .alreadyExists: "there is such a class already"
        case .unknownParent: "there is no such parent"
        case .tooDeep: "it would stand more than eight classes deep"
        case .hasChildren: "it has children"
        case .badParameters: "its ceiling is 0, its output is none of the tree's, or it has no memory to queue its flows apart"
        }
    }
}
