import Configuration
import ControlAPI
import DataPlane
import Dispatch
import Scheduler

/// What a class had sent by one moment.
package struct ClassSample: Equatable {
    package var frames: UInt64
    package var bytes: UInt64

    package init(frames: UInt64, bytes: UInt64) {
        self.frames = frames
        self.bytes = bytes
    }

    /// Per second since an earlier sample; nil where there is no telling, as another class has the id by now.
    package func rate(since first: ClassSample, seconds: Double) -> (bits: UInt64, packets: UInt64)? {
        guard frames >= first.frames, bytes >= first.bytes, seconds > 0 else { return nil }
        return (UInt64(Double(bytes - first.bytes) * 8 / seconds), UInt64(Double(frames - first.frames) / seconds))
    }
}

/// What classes sent lately: the difference of the last two samples, about a second apart.
struct RateBook {
    private struct Key: Hashable { var tree: String; var id: UInt16 }
    private var before: [Key: ClassSample] = [:]
    private var last: [Key: ClassSample] = [:]
    private var beforeTime: UInt64 = 0
    private var lastTime: UInt64 = 0

    mutating func sample(_ dataPlane: DataPlane) {
        before = last
        beforeTime = lastTime
        lastTime = DispatchTime.now().uptimeNanoseconds
        last.removeAll(keepingCapacity: true)
        for tree in dataPlane.treeDescriptions {
            let figures = dataPlane.classCounters(tree: tree.name)
            for id in [ClassIDs.root] + tree.classes.map(\.id) {
                var sum = ClassSample(frames: 0, bytes: 0)
                for counters in figures.of(id) {
                    sum.frames &+= counters.sentFrames
                    sum.bytes &+= counters.sentBytes
                }
                last[Key(tree: tree.name, id: id)] = sum
            }
        }
    }

    func fill(_ status: inout ClassStatus) {
        let key = Key(tree: status.tree, id: status.id)
        guard beforeTime != 0, lastTime > beforeTime, let first = before[key], let second = last[key] else { return }
        let seconds = Double(lastTime - beforeTime) / 1e9
        guard let rate = second.rate(since: first, seconds: seconds) else { return }
        status.rateSeconds = seconds
        status.rate = rate.bits
        status.packetRate = rate.packets
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
