/// What instances of one tree on several lcores share.
public struct SharedTree: @unchecked Sendable {
    let instances: Int
}
