import Configuration
import Scheduler

/// The leaves of a tree whose frames must not be dropped. Their senders are stopped before the queues are too long (`noteBacklogs`), so the queues have no
/// limits of their own: only the shares of the buffer limit them, against senders that do not stop.
struct LosslessLeaves: Equatable {
    /// The protocols for which leaves are lossless; in addition all leaves that are for no single protocol.
    var protocols: Set<String> = []
    var includesOthers = false

    func place(_ item: ClassDescription, _ parameters: inout Scheduler.ClassParameters) {
        guard item.isLeaf, !item.isForMirrors, item.protocolName.map(protocols.contains) ?? includesOthers else { return }
        // Where CoDel would drop frames, they are marked: a sender that slows down need not be stopped.
        if parameters.codelTarget != 0, parameters.marksForCoDel, parameters.markBytes == 0, parameters.markDelay == 0 { parameters.markDelay = parameters.codelTarget }
        (parameters.limitPackets, parameters.limitBytes) = (0, 0)
        (parameters.codelTarget, parameters.codelInterval, parameters.queuesFlows) = (0, 0, false)
    }

    static func | (one: LosslessLeaves, other: LosslessLeaves) -> LosslessLeaves {
        LosslessLeaves(protocols: one.protocols.union(other.protocols), includesOthers: one.includesOthers || other.includesOthers)
    }
}
