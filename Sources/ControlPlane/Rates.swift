import Configuration
import ControlAPI
import DataPlane
import Dispatch
import Scheduler

/// What classes sent lately: the difference of the last two samples, about a second apart.
struct RateBook {
    private struct Key: Hashable { var tree: String; var id: UInt16 }
    private struct Sample { var frames: UInt64; var bytes: UInt64 }
    private var before: [Key: Sample] = [:]
    private var last: [Key: Sample] = [:]
    private var beforeTime: UInt64 = 0
    private var lastTime: UInt64 = 0

    mutating func sample(_ dataPlane: DataPlane) {
        before = last
        beforeTime = lastTime
        lastTime = DispatchTime.now().uptimeNanoseconds
        last.removeAll(keepingCapacity: true)
        for tree in dataPlane.treeDescriptions {
            for id in [ClassIDs.root] + tree.classes.map(\.id) {
                var sum = Sample(frames: 0, bytes: 0)
                for counters in dataPlane.classCounters(tree: tree.name, id: id) {
                    sum.frames &+= counters.sentFrames
                    sum.bytes &+= counters.sentBytes
                }
                last[Key(tree: tree.name, id: id)] = sum
            }
        }
    }

    func fill(_ status: inout ClassStatus) {
        let key = Key(tree: status.tree, id: status.id)
        guard beforeTime != 0, lastTime > beforeTime, let first = before[key], let second = last[key], second.frames >= first.frames else { return }
        let seconds = Double(lastTime - beforeTime) / 1e9
        status.rateSeconds = seconds
        status.rate = UInt64(Double(second.bytes &- first.bytes) * 8 / seconds)
        status.packetRate = UInt64(Double(second.frames - first.frames) / seconds)
    }
}

/// How busy the poll loops were between the last two samples.
struct CoreBook {
    private var before: [DataPlane.CoreReport] = []
    private var last: [DataPlane.CoreReport] = []
    private var beforeTime: UInt64 = 0
    private var lastTime: UInt64 = 0

    mutating func sample(_ dataPlane: DataPlane) {
        before = last
        beforeTime = lastTime
        last = dataPlane.coreReports()
        lastTime = DispatchTime.now().uptimeNanoseconds
    }

    func fill(_ status: inout CoreStatus, _ index: Int) {
        guard before.indices.contains(index), last.indices.contains(index), lastTime > beforeTime else { return }
        let busy = Double(last[index].busyCycles &- before[index].busyCycles)
        let idle = Double(last[index].idleCycles &- before[index].idleCycles)
        let asleep = Double(last[index].asleepCycles &- before[index].asleepCycles)
        let frames = last[index].frames &- before[index].frames
        // A sleep that lasts is counted when it ends.
        let all = busy + idle + asleep
        if all > 0 {
            status.busyPercent = busy / all * 100
            status.asleepPercent = asleep / all * 100
        }
        status.framesPerSecond = UInt64(Double(frames) / (Double(lastTime - beforeTime) / 1e9))
        if frames > 0 { status.cyclesPerFrame = busy / Double(frames) }
    }
}
