array colours[7] = [blue, orange, green, purple, sky, red, ink]
colour(k) = colours[(k - 1) % 7 + 1]
set multiplot
set rmargin at screen 0.80
set bmargin at screen 0.52
eval percentile_axis
eval length_axis
set label 70 "response" at screen 0.022, graph 0.5 rotate center tc rgb ink
plot for [k = 1:logs] data index sprintf("log %d", k) using 1:2 with lines lw 2.5 lc rgb colour(k), \
     for [k = 1:logs] data index sprintf("log %d, unsupported", k) using 1:2 \
         with lines lw 1.2 dt 2 lc rgb colour(k)

unset label
set tmargin at screen 0.42
set bmargin at screen 0.12
eval time_axis
eval step_axis
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "p99 of response" at screen 0.022, graph 0.5 rotate center tc rgb ink
plot for [k = 1:logs] data index sprintf("log %d, steps", k) using 1:3 \
         with steps lw 1.5 lc rgb colour(k)
unset multiplot
