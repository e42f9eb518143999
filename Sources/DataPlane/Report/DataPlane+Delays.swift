import Configuration
import Scheduler

extension DataPlane {
    /// How long frames of each class, or of the leaves below it, waited in one tree; nil: that is not counted.
    public func delays(tree: String) -> [ClassID: DelayHistogram]? {
        guard let tree = trees[tree], var delays = tree.delays() else { return nil }
        // Children come after their parents.
        for item in tree.description.classes.reversed() {
            if let own = delays[item.id] { delays[item.parent, default: DelayHistogram()] += own }
        }
        return delays
    }

    /// How long frames to and from a guest waited.
    public struct GuestDelays: Sendable {
        public var inbound = DelayHistogram()
        public var outbound = DelayHistogram()
    }

    /// How long each guest's frames waited, in all trees; nil: that is not counted.
    public func guestDelays() -> [String: GuestDelays]? {
        guard model.daemon.delay else { return nil }
        var result: [String: GuestDelays] = [:]
        for tree in trees.values {
            guard let delays = tree.delays() else { continue }
            let path: WritableKeyPath<GuestDelays, DelayHistogram> = if case .inbound = tree.kind { \.inbound } else { \.outbound }
            for item in tree.description.classes {
                guard let guest = item.guest, let own = delays[item.id] else { continue }
                result[guest, default: GuestDelays()][keyPath: path] += own
            }
        }
        return result
    }
}
