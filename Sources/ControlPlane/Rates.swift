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
    /// The classes with a floor at the last sample.
    private(set) var floors: [FloorWatch.Sight] = []

    mutating func sample(_ dataPlane: DataPlane) {
        floors = []
        before = last
        beforeTime = lastTime
        lastTime = DispatchTime.now().uptimeNanoseconds
        last = [:]
        for tree in dataPlane.treeDescriptions {
            let figures = dataPlane.classCounters(tree: tree.name)
            var samples = [ClassSample](repeating: ClassSample(frames: 0, bytes: 0), count: Int(tree.classes.lazy.map(\.id).max() ?? ClassIDs.root) + 1)
            // What waits in a class waits in the classes above, and so do the reasons. Children come behind their parents.
            var waiting: [UInt16: (hasBacklog: Bool, otherWaits: UInt64)] = [:]
            for (id, item) in [(ClassIDs.root, nil)] + tree.classes.reversed().map({ ($0.id, Optional($0)) }) {
                var own = (hasBacklog: false, otherWaits: UInt64(0))
                for counters in figures.of(id) {
                    samples[Int(id)].frames &+= counters.sentFrames
                    samples[Int(id)].bytes &+= counters.sentBytes
                    if counters.backlogFrames > 0 { own.hasBacklog = true }
                    own.otherWaits &+= counters.waitsCeiling &+ counters.waitsPeak &+ counters.waitsPackets &+ counters.waitsOutput
                }
                guard let item else { continue }
                if let below = waiting[id] { own = (own.hasBacklog || below.hasBacklog, own.otherWaits &+ below.otherWaits) }
                if own.hasBacklog || own.otherWaits != 0 {
                    let above = waiting[item.parent] ?? (false, 0)
                    waiting[item.parent] = (above.hasBacklog || own.hasBacklog, above.otherWaits &+ own.otherWaits)
                }
                guard item.settings.floor != 0 else { continue }
                floors.append(FloorWatch.Sight(
                    tree: tree.name, path: item.path, guest: item.guest, floor: item.settings.floor, sentBytes: samples[Int(id)].bytes, hasBacklog: own.hasBacklog,
                    otherWaits: own.otherWaits))
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
