import DPDKShim

/// The stages of a turn, whose times can be measured one by one.
public enum Stage: Int, CaseIterable, Sendable {
    /// Receiving frames from rings.
    case poll
    /// Parsing frames, and dropping those that may not enter.
    case admit
    /// Learning and looking up addresses.
    case bridge
    /// Finding the leaves of frames, letting frames pass the trees or queueing them there, and staging those that pass.
    case classify
    /// Choosing frames from the trees, tagging and staging them.
    case schedule
    /// Writing frames to rings.
    case send
}

/// Measures the stages of one turn, one after the other. With `isOn` false, which is a constant wherever this is inlined, the compiler removes all of it.
struct StageClock {
    let isOn: Bool
    private var last: UInt64

    @inline(__always) @_noLocks
    init(isOn: Bool) {
        self.isOn = isOn
        last = isOn ? sluice_cycles() : 0
    }

    /// Counts the time since the last call for `stage`.
    @inline(__always) @_noLocks
    mutating func lap(_ stage: Stage, _ lcore: UnsafeMutablePointer<Lcore>) {
        if !isOn { return }
        let now = sluice_cycles()
        lcore.pointee.stageCycles[stage.rawValue] &+= now &- last
        last = now
    }

    /// Counts the time since the last call for no stage, as nothing was found to do.
    @inline(__always) @_noLocks
    mutating func skip() {
        if isOn { last = sluice_cycles() }
    }
}

extension DataPlane {
    /// Makes all poll loops measure their stages until about `seconds` from now. Reading the clock between stages costs each burst some hundred cycles, which
    /// is why it is not always done.
    public func measureStages(seconds: UInt64) {
        stagesMeasuredUntil = runtime.now + seconds * 1_000_000_000
        setStageClocks(true)
    }

    /// Ends a measurement whose time is over. Called about once a second.
    func endStageMeasurement() {
        guard stagesMeasuredUntil != 0, runtime.now >= stagesMeasuredUntil else { return }
        stagesMeasuredUntil = 0
        setStageClocks(false)
    }

    private func setStageClocks(_ on: Bool) {
        for index in runtime.lcores.indices { (runtime.lcores.baseAddress! + index).pointee.measuresStages.store(on, ordering: .relaxed) }
    }
}
