/// The priorities of IP frames by their DSCP.
public enum DifferentiatedServices {
    /// The priority of each DSCP, 0 to 63, unless the operator or the peer says otherwise: RFC 8325, figure 1, and RFC 8622 for DSCP 1 (less than best effort).
    /// DSCPs that stand in neither have priority 0.
    public static let priorities: [UInt8] = {
        var table = [UInt8](repeating: 0, count: 64)
        let known: [(UInt8, [Int])] = [
            (7, [48, 56]), (6, [44, 46]), (5, [40]), (4, [24, 26, 28, 30, 32, 34, 36, 38]), (3, [18, 20, 22]), (1, [1, 8]),
        ]
        for (priority, dscps) in known { for dscp in dscps { table[dscp] = priority } }
        return table
    }()
}
