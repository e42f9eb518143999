/// How many bytes of a lossless priority may wait for one receiver. At `xoff` the sender is asked to stop; at `xon`, when the queue has become shorter, to go
/// on. What arrives in between, after the sender was asked, is the headroom (IEEE 802.1Q, annex N).
public struct LosslessBuffer: Equatable, Sendable {
    public let size: Int
    public let headroom: Int
    public let xoff: Int
    public let xon: Int

    /// - Parameters:
    ///   - size: the size that the operator wants, in bytes; nil: four times the headroom, 256 KiB at least.
    ///   - speed: the link's speed in Mbit/s.
    ///   - longestFrame: bytes of the longest frame. One may just have begun to leave at either end.
    ///   - most: the most bytes that one queue should take of the buffers that all share.
    public init(size wanted: Int?, speed: UInt32, longestFrame: Int, most: Int) {
        // 1 Mbit/s is an eighth of a byte in 1 us.
        let reaction = Int(speed) * Self.reaction / 8
        let needed = reaction + 2 * longestFrame
        size = max(min(wanted ?? max(4 * needed, 256 << 10), most), 2 * longestFrame)
        headroom = min(needed, size / 2)
        xoff = size - headroom
        xon = xoff / 2
    }

    /// How long the other end may take to stop, and the pause frame to reach it, in us: the cable and hardware take less than 10 (IEEE 802.1Q, 36.1.3.3), and a
    /// turn of a poll loop at either end the rest.
    public static let reaction = 100
}
