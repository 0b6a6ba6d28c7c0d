// The programs to choose from. `file` is a name in the folder `programs` of the built page, `input` that
// of what the program reads.

export const groups = [
  {
    title: 'The heap at work',
    programs: [
      { file: 'cache.mochi', title: 'Cache: why is this alive?' },
      { file: 'endless.mochi', title: 'Endless: young garbage' },
      { file: 'limit.mochi', title: 'Limit: keeps everything' },
      { file: 'fragments.mochi', title: 'Fragments: gaps between blocks' },
      { file: 'binary_trees.mochi', title: 'Binary trees' },
      { file: 'map1m.mochi', title: 'A map of a million entries' },
      { file: 'knuc.mochi', title: 'Counting nucleotides' },
    ],
  },
  {
    title: 'The language',
    programs: [
      { file: 'closures.mochi', title: 'Closures' },
      { file: 'unions.mochi', title: 'Unions and patterns' },
      { file: 'structs.mochi', title: 'Structs' },
      { file: 'query_group.mochi', title: 'Queries: groups' },
      { file: 'query_join.mochi', title: 'Queries: joins' },
      { file: 'bignums.mochi', title: 'Integers without bounds' },
      { file: 'builtin_input.mochi', title: 'Input', input: 'builtin_input.in' },
      { file: 'nbody.mochi', title: 'Planets' },
      { file: 'mandelbrot.mochi', title: 'Mandelbrot' },
    ],
  },
  {
    title: 'Errors',
    programs: [
      { file: 'error_list_index.mochi', title: 'An index out of range' },
      { file: 'error_in_function_far_away.mochi', title: 'An error with its calls' },
      { file: 'error_stack.mochi', title: 'Unbounded recursion' },
      { file: 'error_syntax.mochi', title: 'A syntax error' },
    ],
  },
];
