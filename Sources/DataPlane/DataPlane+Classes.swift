import Configuration
import Scheduler

extension DataPlane {
    /// Gives classes other settings. Nothing leads to other classes than before, so the loops are told of those classes alone.
    /// - Parameter change: to the model and the trees as they run.
    public func apply(_ change: ClassChange) {
        model.adopt(change)
        var sent: [(Tree, TreeStep)] = []
        for item in change.classes {
            guard let tree = trees[item.name] else { continue }
            let step = tree.change(item.place, to: item.settings)
            send([step], to: tree)
            sent.append((tree, step))
        }
        awaitCommands()
        for (tree, step) in sent { tree.tidy(after: [step]) }
    }
}
