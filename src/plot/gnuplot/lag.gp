set multiplot
set rmargin at screen 0.90
eval time_axis_without_labels
set bmargin at screen 0.42
eval lag_axis
set label 70 "lag" at screen 0.022, graph 0.5 rotate center tc rgb ink
plot data index "lag" using 1:5 with steps lw 1.5 lc rgb red, \
     data index "lag" using 1:4 with steps lw 1.5 lc rgb orange, \
     data index "lag" using 1:3 with steps lw 1.5 lc rgb blue

unset label
set tmargin at screen 0.38
set bmargin at screen 0.12
eval time_axis
eval hole_axis
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "holes" at screen 0.022, graph 0.5 rotate center tc rgb ink
if (any_holes) {
    plot data index "holes" using 1:3 with impulses lw 1.5 lc rgb purple
} else {
    set label 91 "none" at graph 0.5, graph 0.5 center tc rgb grey
    plot NaN
}
unset multiplot
