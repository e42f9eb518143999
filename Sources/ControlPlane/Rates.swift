import Configuration
import ControlAPI
import DataPlane
import Dispatch
import Scheduler

/// What a class had sent up to one moment.
package struct ClassSample: Equatable, Sendable {
    package var frames: UInt64
    package var bytes: UInt64

    package init(frames: UInt64, bytes: UInt64) {
        self.frames = frames
        self.bytes = bytes
    }

    /// The rates since an earlier sample. nil: they cannot be told, as the counters are lower than before, which means that another class has the id by now.
    package func rate(since first: ClassSample, seconds: Double) -> (bits: UInt64, packets: UInt64)? {
        guard frames >= first.frames, bytes >= first.bytes, seconds > 0 else { return nil }
        return (UInt64(Double(bytes - first.bytes) * 8 / seconds), UInt64(Double(frames - first.frames) / seconds))
    }
}

/// The latest rates of classes: the difference of the last two samples, which are about a second apart.
struct RateBook: Sendable {
    /// Samples by the tree's name, then by class id.
    private var before: [String: [ClassSample]] = [:]
    private var last: [String: [ClassSample]] = [:]
    private var beforeTime: UInt64 = 0
    private var lastTime: UInt64 = 0

    mutating func sample(_ dataPlane: DataPlane) {
        before = last
        beforeTime = lastTime
        lastTime = DispatchTime.now().uptimeNanoseconds
        last = [:]
        for tree in dataPlane.treeDescriptions {
            let figures = dataPlane.classCounters(tree: tree.name)
            var samples = [ClassSample](repeating: ClassSample(frames: 0, bytes: 0), count: Int(tree.classes.lazy.map(\.id).max() ?? ClassIDs.root) + 1)
            for id in [ClassIDs.root] + tree.classes.map(\.id) {
                for counters in figures.of(id) {
                    samples[Int(id)].frames &+= counters.sentFrames
                    samples[Int(id)].bytes &+= counters.sentBytes
                }
            }
            last[tree.name] = samples
        }
    }

    func fill(_ status: inout ClassStatus) {
        let id = Int(status.id)
        guard beforeTime != 0, lastTime > beforeTime, let first = before[status.tree], let second = last[status.tree], id < first.count, id < second.count
        else { return }
        let seconds = Double(lastTime - beforeTime) / 1e9
        guard let rate = second[id].rate(since: first[id], seconds: seconds) else { return }
        status.rateSeconds = seconds
        status.rate = rate.bits
        status.packetRate = rate.packets
    }
}

/// How busy the poll loops were between the last two samples, which are about a second apart.
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
        // A sleep is counted only when it ends, so the counted times are taken as the whole, and not the time that has passed.
        let all = busy + idle + asleep
        if all > 0 {
            status.busyPercent = busy / all * 100
            status.asleepPercent = asleep / all * 100
        }
        status.framesPerSecond = UInt64(Double(frames) / (Double(lastTime - beforeTime) / 1e9))
        if frames > 0 { status.cyclesPerFrame = busy / Double(frames) }
    }
}
