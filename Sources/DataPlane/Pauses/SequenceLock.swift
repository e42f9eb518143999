import DPDKShim
import Synchronization

/// Lets poll loops change a value one at a time, and any thread copy it, as Linux's seqlock_t does. A reader keeps no loop waiting, even if it loses its CPU
/// while it reads: it reads again if the value has changed meanwhile.
struct SequenceLock: ~Copyable {
    /// Whether a loop is about to change the value.
    private let isTaken = Atomic<Bool>(false)
    /// Odd while the value is being written.
    private let version = Atomic<UInt32>(0)

    /// Takes the right to change the value, without waiting for it.
    /// - Returns: false: another loop has it.
    @inline(__always) @_noLocks
    func take() -> Bool { !isTaken.exchange(true, ordering: .acquiring) }

    /// Gives that right back.
    @inline(__always) @_noLocks
    func release() { isTaken.store(false, ordering: .releasing) }

    /// The value is written between these two, by the loop that has the right.
    @inline(__always) @_noLocks
    func beginWriting() {
        version.wrappingAdd(1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
    }

    @inline(__always) @_noLocks
    func endWriting() { version.wrappingAdd(1, ordering: .releasing) }

    /// The value as it was at one moment.
    func copy<Value: BitwiseCopyable>(of value: UnsafeMutablePointer<Value>) -> Value {
        while true {
            let before = version.load(ordering: .acquiring)
            let copy = value.pointee
            atomicMemoryFence(ordering: .acquiring)
            if before & 1 == 0, version.load(ordering: .relaxed) == before { return copy }
            sluice_pause()
        }
    }
}
