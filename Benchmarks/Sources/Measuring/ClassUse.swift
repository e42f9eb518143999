import Foundation

/// What `sluice class show -j` says of all leaves, which shows whether each of them was really shaped.
public struct ClassUse: Equatable, Sendable {
    /// The number of leaves that sent anything.
    public var leaves = 0
    /// The number of these that borrowed at least a quarter of what they sent.
    public var borrowed = 0
    /// The number of these that had frames waiting for tokens.
    public var waited = 0
    public var sentBytes: UInt64 = 0
    public var borrowedBytes: UInt64 = 0
    public var droppedFrames: UInt64 = 0

    private struct Row: Decodable {
        struct Amount: Decodable {
            var frames: UInt64
            var bytes: UInt64
        }
        var leaf: Bool
        var sent: Amount
        var dropped: Amount
        var borrowedBytes: UInt64
        var overlimits: UInt64
    }

    public init(json: Data) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        for row in try decoder.decode([Row].self, from: json) where row.leaf {
            droppedFrames += row.dropped.frames
            guard row.sent.bytes > 0 else { continue }
            leaves += 1
            sentBytes += row.sent.bytes
            borrowedBytes += row.borrowedBytes
            if 4 * row.borrowedBytes >= row.sent.bytes { borrowed += 1 }
            if row.overlimits > 0 { waited += 1 }
        }
    }

    public var sentence: String {
        let share = sentBytes == 0 ? 0 : Double(borrowedBytes) / Double(sentBytes) * 100
        return "of \(leaves) classes \(waited) had frames waiting for tokens and \(borrowed) borrowed a quarter of what they sent or more; \(Table.fixed(share, 0)) % of all was "
            + "borrowed, \(droppedFrames) frames dropped"
    }
}
